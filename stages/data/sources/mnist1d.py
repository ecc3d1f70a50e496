"""MNIST-1D: signals of 40 points in ten classes, generated: as many as are asked for."""

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from stages.data.sources.raw import Raw
from stages.pipeline.fault import Fault

Number = Annotated[int, Ge(10), Le(1_000_000)]
CLASSES = 10
LARGEST = 4.0
"""Signals have mean 0 and standard deviation 1; 0 to 255 stand for -4 to 4, and what is beyond."""


def mnist1d(
    root: Path,
    downloads: Path,
    *,
    train: Number = 4000,
    test: Number = 1000,
    signal_seed: Annotated[int, Ge(0), Le(2**32 - 1)] = 42,
) -> Raw:
    """Generate `train` and `test` signals, 1x1x40, as the package mnist1d does (Greydanus 2020).

    4,000 and 1,000 of seed 42 are the published set. Classes have equally many signals in all, and
    are shuffled before the two parts are taken.
    """
    try:
        from mnist1d.data import get_dataset_args, make_dataset
    except ImportError:
        raise Fault("data.source: mnist1d needs mnist1d: pip install 'afterprune[data]'") from None
    if (train + test) % CLASSES:
        raise Fault(
            f"data.train and data.test are {train} and {test}; "
            f"their sum should be a multiple of {CLASSES}"
        )
    settings = get_dataset_args()
    settings.num_samples, settings.seed = train + test, signal_seed
    made = make_dataset(settings)
    signals = quantised(np.concatenate([made["x"], made["x_test"]]))[:, None, None]
    labels = np.concatenate([made["y"], made["y_test"]]).astype(np.int64)
    parts = signals[:train], labels[:train], signals[train:], labels[train:]
    return Raw(*parts, tuple("0123456789"))


def quantised(signals: np.ndarray) -> np.ndarray:
    """Return signals as uint8: 0 for -LARGEST and below, 255 for LARGEST and above."""
    levels = np.rint((signals / LARGEST + 1) / 2 * 255)
    return np.clip(levels, 0, 255).astype(np.uint8)
