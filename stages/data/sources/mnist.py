"""MNIST and Fashion-MNIST from their idx files."""

import gzip
from math import prod
from pathlib import Path

import numpy as np

from stages.data.sources.download import download
from stages.data.sources.raw import Raw
from stages.pipeline.fault import Fault

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MOST_BYTES = 60_000 * 28 * 28
"""What the largest of the files holds: a small .gz may hold a thousand times as much."""
FIRST_TEST_LABELS = {"MNIST": "7210414959", "FashionMNIST": "9211614657"}


def mnist(root: Path, downloads: Path) -> Raw:
    """Read MNIST: 60,000 + 10,000 images 1x28x28."""
    return _read("MNIST", root, downloads, tuple("0123456789"))


def fashion_mnist(root: Path, downloads: Path) -> Raw:
    """Read Fashion-MNIST: 60,000 + 10,000 images 1x28x28."""
    return _read("FashionMNIST", root, downloads, FASHION)


def _read(dataset: str, root: Path, downloads: Path, classes: tuple[str, ...]) -> Raw:
    """Read the four files, plain or .gz, from `root`, else from torchvision's download.

    The two sets share their file names, so they are told apart by their first test labels.
    """
    paths = _located(dataset, root, downloads)
    train_images, train_labels, test_images, test_labels = map(_idx, FILES, paths)
    if "".join(map(str, test_labels[:10])) != FIRST_TEST_LABELS[dataset]:
        raise Fault(f"{paths[3]}: these are not the test labels of {dataset}; check data.root")
    for images, labels, path in (
        (train_images, train_labels, paths[1]),
        (test_images, test_labels, paths[3]),
    ):
        if len(images) != len(labels) or labels.max() >= len(classes):
            raise Fault(f"{path}: {len(labels)} labels do not fit {len(images)} images")
    return Raw(train_images[:, None], train_labels, test_images[:, None], test_labels, classes)


def _located(dataset: str, root: Path, downloads: Path) -> list[Path]:
    found = {name: _find(name, root / dataset / "raw", root) for name in FILES}
    paths = [path for path in found.values() if path]
    if len(paths) == len(FILES):
        return paths
    loaded = [downloads / dataset / "raw" / name for name in FILES]
    if not all(path.is_file() for path in loaded):
        missing = ", ".join(name for name, path in found.items() if not path)
        download(dataset, downloads, f"put {missing} (plain or .gz) into {root}")
    return loaded


def _find(name: str, *folders: Path) -> Path | None:
    candidates = (folder / f"{name}{end}" for folder in folders for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _idx(name: str, path: Path) -> np.ndarray:
    """Read an idx file of unsigned bytes: zero, zero, 8, rank, big-endian int32 sizes, values.

    Images stay uint8 [N, H, W]; labels become int64 [N].
    """
    rank = 3 if "idx3" in name else 1
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            if file.read(4) != bytes((0, 0, 8, rank)):
                raise ValueError(f"it does not begin as an idx{rank} file of bytes")
            shape = np.frombuffer(file.read(4 * rank), ">i4").tolist()
            if min(shape) < 1 or prod(shape) > MOST_BYTES:
                raise ValueError(
                    f"its sizes are {shape}, and should be 1 or more, {MOST_BYTES} bytes at most"
                )
            data = file.read(prod(shape) + 1)
        array = np.frombuffer(data, np.uint8).reshape(shape)
    except Exception as error:
        raise Fault(f"{path}: not readable, replace or delete it ({error})") from None
    return array if rank == 3 else array.astype(np.int64)
