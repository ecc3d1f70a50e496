"""Peak memory: the images lie in the page cache alone, however often an epoch gathers them."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys, numpy as np, torch
from pathlib import Path
from stages.images.augmentations.crop import Crop
from stages.images.normalise import normalise
from stages.images.prepared import load
from stages.pipeline.files import save_rows, write_json

torch.set_num_threads(1)
folder, count, shape = Path(sys.argv[1]), 20_000, (3, 64, 64)
about = dict(channels=3, height=64, width=64, train=count, validation=0, test=4)
write_json(folder / "description.json", dict(about, mean=[0.5] * 3, std=[0.2] * 3, classes=["a"]))
chance = np.random.default_rng(0)
for part in ("train", "validation", "test"):
    block = lambda rows: chance.integers(0, 256, (rows, *shape), np.uint8)
    rows = about[part]
    parts = (block(min(500, rows - done)) for done in range(0, rows, 500))
    save_rows(folder / f"{part}_images.npy", np.uint8, (rows, *shape), parts)
    save_rows(folder / f"{part}_labels.npy", np.int64, (rows,), [np.zeros(rows, np.int64)])

def anonymous():
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("RssAnon:") + 1]) * 1024

def epoch():
    for index in torch.randperm(count).split(128):
        part = data.train.images.index_select(0, index)
        corner = torch.zeros((2, len(part)), dtype=torch.int64)
        normalise(Crop(pad=4).apply(part, corner), data.mean, data.std)

data = load(folder)
before = anonymous()
epoch()
print(data.train.images.nbytes, anonymous() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_epoch_takes_a_small_part_of_the_images_bytes(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True
    )
    images, taken = map(int, ended.stdout.split())
    assert images > 200e6
    assert taken < images / 4
