"""The 8x8 handwritten digits that come with scikit-learn: no download, no torch."""

from pathlib import Path

import numpy as np

from stages.data.sources.raw import Raw
from stages.data.split import shares

TRAIN = 900


def digits(root: Path, downloads: Path) -> Raw:
    """Read scikit-learn's 1797 digits, 1x8x8; their values 0..16 become value * 255 // 16.

    The set has no test part of its own. Ours is fixed, without a seed: of each class, in the
    order of the file, the first images train (900 in all, by largest remainder) and the rest (897)
    test. The file is ordered by writer, so the test images are mostly by other hands.
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    images = (data.images.astype(np.int64) * 255 // 16).astype(np.uint8)[:, None]
    labels = data.target.astype(np.int64)
    train = _first(labels, TRAIN)
    test = np.setdiff1d(np.arange(len(labels)), train)
    return Raw(images[train], labels[train], images[test], labels[test], tuple("0123456789"))


def _first(labels: np.ndarray, total: int) -> np.ndarray:
    parts = shares(np.bincount(labels), total)
    return np.sort(np.concatenate([np.flatnonzero(labels == c)[:k] for c, k in enumerate(parts)]))
