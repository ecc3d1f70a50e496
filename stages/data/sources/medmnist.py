"""MedMNIST's two-dimensional sets of single labels, from their .npz files."""

import hashlib
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from stages.data.sources.medmnist_sets import CLASSES, MD5
from stages.data.sources.raw import Raw
from stages.pipeline.fault import Fault

Set = Literal[
    "pathmnist",
    "dermamnist",
    "octmnist",
    "pneumoniamnist",
    "retinamnist",
    "breastmnist",
    "bloodmnist",
    "tissuemnist",
    "organamnist",
    "organcmnist",
    "organsmnist",
]


def medmnist(root: Path, downloads: Path, *, set: Set, size: Literal[28, 64, 128, 224] = 28) -> Raw:
    """Read a set of MedMNIST v2 (Yang et al. 2023) from `root`, as published, by its MD5.

    The file is pathmnist.npz, or pathmnist_64.npz for images of 64x64. The published training and
    validation images are one training part here, of which `data.validation` holds out its share.
    """
    name = f"{set}.npz" if size == 28 else f"{set}_{size}.npz"
    found = _arrays(root / name, MD5[set][size])
    images = {part: _shaped(found[f"{part}_images"]) for part in ("train", "val", "test")}
    labels = {part: found[f"{part}_labels"][:, 0].astype(np.int64) for part in images}
    return Raw(
        np.concatenate([images["train"], images["val"]]),
        np.concatenate([labels["train"], labels["val"]]),
        images["test"],
        labels["test"],
        CLASSES[set],
    )


def _arrays(path: Path, md5: str) -> dict[str, Any]:
    """Read the arrays of a file whose MD5 is known; nothing of another is opened."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False))
    except FileNotFoundError:
        raise Fault(
            f"{path}: no such file; put it there, from https://zenodo.org/records/10519652"
        ) from None
    if digest.hexdigest() != md5:
        raise Fault(f"{path}: damaged, or of another version (its MD5 must be {md5}); replace it")
    try:
        with np.load(path, allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise Fault(f"{path}: not readable ({error})") from None


def _shaped(images: np.ndarray) -> np.ndarray:
    """Return [N, H, W] or [N, H, W, 3] as [N, C, H, W]."""
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
