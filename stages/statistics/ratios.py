"""How large one gain is as a part of another, with an interval."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from stages.statistics.estimates import Values


@dataclass(frozen=True)
class Ratio:
    """The ratio of two means; the ends are NaN where the second may be 0."""

    value: float
    low: float
    high: float


def ratio(first: "Values", second: "Values", confidence: float) -> Ratio:
    """The mean of `first` over that of `second`, paired by position, with Fieller's interval.

    Fieller (1954): the ratios r for which a t-test does not reject that first - r * second has the
    mean 0. They form an interval where the mean of `second` is significantly other than 0.
    """
    x, y = np.asarray(first, float), np.asarray(second, float)
    n, mean_x, mean_y = len(x), float(x.mean()), float(y.mean())
    value = mean_x / mean_y if mean_y else math.nan
    if n < 2:
        return Ratio(value, math.nan, math.nan)
    (var_x, cov), (_, var_y) = np.cov(x, y).tolist()
    part = float(stdtrit(n - 1, (1 + confidence) / 2)) ** 2 / n
    square, linear, constant = (
        mean_y**2 - part * var_y,
        mean_x * mean_y - part * cov,
        mean_x**2 - part * var_x,
    )
    if square <= 0:
        return Ratio(value, math.nan, math.nan)
    half = math.sqrt(max(linear**2 - square * constant, 0))
    return Ratio(value, (linear - half) / square, (linear + half) / square)
