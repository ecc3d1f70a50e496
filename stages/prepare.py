"""Raw images -> data/prepared: arrays, labels, the split and the training statistics."""

from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import typer
from tqdm import tqdm

from stages.cli import run
from stages.data.memory import mention_size
from stages.data.raw import Images
from stages.data.sources import SOURCES
from stages.data.split import holdout, limited
from stages.data.statistics import channel_statistics
from stages.files import map_array, save_rows, write_json
from stages.guard import guarded
from stages.params.data import DATA, Data
from stages.params.options import options_of

DOWNLOADS = Path("data/downloads")
BLOCK = 2**24
"""Bytes of images that are in memory at a time."""

app = typer.Typer(add_completion=False)


def prepare(data: Data, downloads: Path, folder: Path) -> None:
    """Write images, labels and positions of every part, and description.json, into `folder`.

    The test images take part in no choice: split and statistics see the training images alone.
    """
    read = SOURCES[data.source]
    raw = read(Path(data.root), downloads, **options_of(data, "source", Data))
    kept = limited(raw.train_labels, data.train_limit, data.seed)
    train, validation = holdout(raw.train_labels[kept], data.validation, data.seed, raw.classes)
    test = limited(raw.test_labels, data.test_limit, data.seed)
    shape = raw.train_images.shape[1:]
    mention_size((len(kept) + len(test)) * prod(shape))
    write_part(folder, "train", raw.train_images, raw.train_labels, kept[train])
    write_part(folder, "validation", raw.train_images, raw.train_labels, kept[validation])
    write_part(folder, "test", raw.test_images, raw.test_labels, test)
    images = map_array(folder / "train_images.npy", np.uint8, (len(train), *shape))
    mean, std = channel_statistics(images)
    channels, height, width = shape
    about = {
        "source": data.source,
        "classes": raw.classes,
        "channels": channels,
        "height": height,
        "width": width,
        "mean": mean,
        "std": std,
        "train": len(train),
        "validation": len(validation),
        "test": len(test),
    }
    write_json(folder / "description.json", about)


def write_part(
    folder: Path, part: str, images: Images, labels: np.ndarray, index: np.ndarray
) -> None:
    """Write a part: the images and labels at `index`, int64 [N], and `index` itself."""
    shape = len(index), *images.shape[1:]
    save_rows(folder / f"{part}_images.npy", np.uint8, shape, blocks(images, index, part))
    save_rows(folder / f"{part}_labels.npy", np.int64, index.shape, [labels[index]])
    save_rows(folder / f"{part}_index.npy", np.int64, index.shape, [index])


def blocks(images: Images, index: np.ndarray, name: str) -> Iterator[np.ndarray]:
    """Yield the images at `index` in order, at most BLOCK bytes or one image at a time."""
    rows = max(1, BLOCK // prod(images.shape[1:]))
    with tqdm(total=len(index), desc=name, unit="image", disable=None) as bar:
        for start in range(0, len(index), rows):
            block = images[index[start : start + rows]]
            yield block
            bar.update(len(block))


@app.command()
def main() -> None:
    """Read the images that `data` in params.yaml names, split them, and take their statistics."""
    with guarded("prepare") as stage:
        prepare(stage.read("data", DATA), DOWNLOADS, stage.output("data/prepared"))


if __name__ == "__main__":
    run(app)
