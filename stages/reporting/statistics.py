"""Means, paired differences with t-intervals, and the rule that names a winner."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from scipy.special import stdtrit

from stages.pipeline.fault import Fault


@dataclass(frozen=True)
class Estimate:
    """A mean over n replicates; sd, low and high are NaN when n is 1."""

    mean: float
    sd: float
    n: int
    low: float
    high: float

    @property
    def has_interval(self) -> bool:
        """Whether there were enough replicates for an interval."""
        return self.n > 1

    @property
    def above_zero(self) -> bool:
        """Whether the whole interval lies above 0; False without an interval."""
        return self.low > 0

    @property
    def below_zero(self) -> bool:
        """Whether the whole interval lies below 0; False without an interval."""
        return self.high < 0


def estimate(values: pd.Series, confidence: float) -> Estimate:
    """Mean, sample standard deviation and two-sided t-interval of the mean.

    The interval is mean +- t(n-1, (1 + confidence) / 2) * sd / sqrt(n).
    """
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Estimate(mean, math.nan, n, math.nan, math.nan)
    sd = float(values.std(ddof=1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * sd / math.sqrt(n)
    return Estimate(mean, sd, n, mean - half, mean + half)


def paired(first: pd.Series, second: pd.Series, confidence: float) -> Estimate:
    """`first` - `second`, paired by their index (the seeds); a Fault when the seeds differ."""
    if sorted(first.index) != sorted(second.index):
        raise Fault(
            f"{first.name} has the seeds {sorted(first.index)}, {second.name} has "
            f"{sorted(second.index)}: a paired comparison needs the same seeds"
        )
    return estimate(first.sub(second), confidence)


@dataclass(frozen=True)
class Contest:
    """The arm of the highest mean, and its paired margin over every other arm.

    Each margin's interval has the level `confidence`, Bonferroni-adjusted so that all of
    them hold together at the level asked for.
    """

    best: str
    margins: Mapping[str, Estimate]
    confidence: float

    @property
    def indistinct(self) -> list[str]:
        """The arms that `best` cannot be told apart from, the closest first."""
        names = [name for name, margin in self.margins.items() if not margin.above_zero]
        return sorted(names, key=lambda name: self.margins[name].mean)

    @property
    def winner(self) -> str | None:
        """`best` when every margin's interval lies above 0; None otherwise or without rivals."""
        return self.best if self.margins and not self.indistinct else None

    @property
    def runner_up(self) -> str | None:
        """The arm with the smallest mean margin, None without rivals."""
        return min(self.margins, key=lambda name: self.margins[name].mean, default=None)


def contest(scores: Mapping[str, pd.Series], confidence: float) -> Contest:
    """Hold the arm of the highest mean (the first of equals) against each of the others."""
    best = max(scores, key=lambda name: float(scores[name].mean()))
    rivals = [name for name in scores if name != best]
    adjusted = bonferroni(confidence, len(rivals))
    margins = {name: paired(scores[best], scores[name], adjusted) for name in rivals}
    return Contest(best, margins, adjusted)


def bonferroni(confidence: float, comparisons: int) -> float:
    """The level of each of several intervals that hold together at `confidence`."""
    return 1 - (1 - confidence) / max(comparisons, 1)
