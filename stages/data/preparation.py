"""From a source's raw images to data/prepared: arrays, labels, the split and the statistics."""

from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
from tqdm import tqdm

from stages.data.memory import mention_size
from stages.data.root import misplaced
from stages.data.settings import Data
from stages.data.sources.raw import Images, Raw
from stages.data.sources.registry import SOURCES
from stages.data.split import holdout, limited
from stages.data.statistics import channel_statistics
from stages.pipeline.fault import Fault
from stages.pipeline.files import map_array, save_rows, write_json
from stages.pipeline.options import options_of

BLOCK = 2**24
"""Bytes of images that are in memory at a time."""


def prepare(data: Data, downloads: Path, folder: Path) -> None:
    """Write images, labels and positions of every part, and description.json, into `folder`.

    `downloads` is where a source may put what it has to fetch.
    """
    for line in misplaced(Path(data.root)):
        raise Fault(line)
    source = SOURCES[data.source]
    raw = source.read(Path(data.root), downloads, **options_of(data, "source", Data))
    _check_sizes(raw, data.root)
    index = positions(raw, data)
    shape = raw.train_images.shape[1:]
    mention_size(sum(map(len, index.values())) * prod(shape))
    write_part(folder, "train", raw.train_images, raw.train_labels, index["train"])
    write_part(folder, "validation", raw.train_images, raw.train_labels, index["validation"])
    write_part(folder, "test", raw.test_images, raw.test_labels, index["test"])
    images = map_array(folder / "train_images.npy", np.uint8, (len(index["train"]), *shape))
    mean, std = channel_statistics(images)
    about = {
        "source": data.source,
        "classes": raw.classes,
        **dict(zip(("channels", "height", "width"), shape, strict=True)),
        "mean": mean,
        "std": std,
        **{part: len(index[part]) for part in index},
    }
    write_json(folder / "description.json", about)


def _check_sizes(raw: Raw, root: str) -> None:
    train, test = raw.train_images.shape[1:], raw.test_images.shape[1:]
    if train != test:
        raise Fault(
            f"{root}: training images are {_size(train)} and test images {_size(test)} "
            "(channels x height x width); they should be of one size"
        )


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def positions(raw: Raw, data: Data) -> dict[str, np.ndarray]:
    """Return the positions of each part, int64, among the training or the test images.

    The test images take part in no choice: split and statistics see the training images alone.
    """
    kept = limited(raw.train_labels, data.train_limit, data.seed)
    train, validation = holdout(raw.train_labels[kept], data.validation, data.seed, raw.classes)
    test = limited(raw.test_labels, data.test_limit, data.seed)
    return {"train": kept[train], "validation": kept[validation], "test": test}


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
