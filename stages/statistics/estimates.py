"""Means over replicates, paired differences, and their t-intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from stages.pipeline.fault import Fault

if TYPE_CHECKING:
    import pandas as pd

    Values = NDArray[np.float64] | pd.Series | Sequence[float]


NO_SPREAD = 1e-9
"""Standard deviations up to this are rounding: the values are all equal."""


@dataclass(frozen=True)
class Estimate:
    """A mean over n replicates; sd, low and high are NaN when n is 1.

    All are NaN where the value of some replicate is: a mean of the others would be another one.
    """

    mean: float
    sd: float
    n: int
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether every replicate has a value."""
        return not math.isnan(self.mean)

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval, for which it takes two replicates."""
        return self.n > 1 and self.known

    @property
    def coincides(self) -> bool:
        """Whether there are but two values, which agree to the digit, as accuracies often do."""
        return self.n == 2 and self.sd <= NO_SPREAD

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0; False without an interval."""
        return self.low > 0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below 0; False without an interval."""
        return self.high < 0

    @property
    def p_value(self) -> float:
        """Two-sided p of Student's t-test that the mean is 0; NaN without an sd above 0."""
        if not self.sd > 0:
            return math.nan
        return float(2 * stdtr(self.n - 1, -abs(self.mean) * math.sqrt(self.n) / self.sd))


def estimate(values: "Values", confidence: float) -> Estimate:
    """Mean, sample standard deviation and two-sided t-interval of the mean.

    The interval is mean +- t(n-1, (1 + confidence) / 2) * sd / sqrt(n).
    """
    numbers = np.asarray(values, float)
    n = len(numbers)
    mean = float(numbers.mean()) if n else math.nan
    if n < 2 or math.isnan(mean):
        return Estimate(mean, math.nan, n, math.nan, math.nan)
    sd = float(numbers.std(ddof=1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * sd / math.sqrt(n)
    return Estimate(mean, sd, n, mean - half, mean + half)


def paired(first: "pd.Series[float]", second: "pd.Series[float]", confidence: float) -> Estimate:
    """`first` - `second`, paired by their index (the seeds); a Fault when the seeds differ."""
    if sorted(first.index) != sorted(second.index):
        raise Fault(
            f"{first.name} has the seeds {sorted(first.index)}, {second.name} has "
            f"{sorted(second.index)}: a paired comparison needs the same seeds"
        )
    return estimate(first.sub(second), confidence)


def bonferroni(confidence: float, comparisons: int) -> float:
    """The level of each of several intervals that hold together at `confidence`."""
    return 1 - (1 - confidence) / max(comparisons, 1)
