"""The interval that holds for new seeds and for new test images."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

Row = NDArray[np.bool_]
"""Of one seed: which test images are classified correctly, bool[images]."""


@dataclass(frozen=True)
class TwoLevel:
    """The difference of two accuracies in points, with an interval over seeds and images.

    `variance` is that of the mean, in squared points, with `df` degrees of freedom; they and the
    ends are NaN with a single seed or image.
    """

    mean: float
    variance: float
    df: float
    low: float
    high: float


def two_level(first: Iterable[Row], second: Iterable[Row], confidence: float) -> TwoLevel:
    """The accuracy of `first` - `second`, paired by seed and image: a row per seed.

    Seeds and images are crossed random factors. With the mean squares of seeds, images and the
    rest, V = max(MS_s + MS_i - MS_si, MS_s) / (seeds * images), and Satterthwaite's (1946) degrees
    of freedom. Rows are read one by one: no table of seeds by images is made.
    """
    by_seed: list[float] = []
    by_image = np.zeros(1, int)
    squares = 0
    for ours, theirs in zip(first, second, strict=True):
        row = np.subtract(ours, theirs, dtype=np.int8)
        by_seed.append(float(row.mean()))
        by_image = by_image + row
        squares += int(np.count_nonzero(row))
    return _interval(np.array(by_seed), by_image / len(by_seed), squares, confidence)


def _interval(
    seeds: NDArray[np.float64], images: NDArray[np.float64], squares: int, confidence: float
) -> TwoLevel:
    s, i, mean = len(seeds), len(images), float(seeds.mean())
    if s < 2 or i < 2:
        return TwoLevel(100 * mean, math.nan, math.nan, math.nan, math.nan)
    ss_s = i * float(((seeds - mean) ** 2).sum())
    ss_i = s * float(((images - mean) ** 2).sum())
    ms_s, ms_i = ss_s / (s - 1), ss_i / (i - 1)
    ms_si = max(squares - s * i * mean**2 - ss_s - ss_i, 0) / ((s - 1) * (i - 1))
    both, df = ms_s, s - 1.0
    if ms_i > ms_si:
        both = ms_s + ms_i - ms_si
        terms = ms_s**2 / (s - 1) + ms_i**2 / (i - 1) + ms_si**2 / ((s - 1) * (i - 1))
        df = both**2 / terms
    variance = both / (s * i)
    half = float(stdtrit(df, (1 + confidence) / 2)) * math.sqrt(variance)
    return TwoLevel(100 * mean, 1e4 * variance, df, 100 * (mean - half), 100 * (mean + half))
