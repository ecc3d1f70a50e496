"""How likely a study of n replicates is to decide a pair, and how many it takes."""

import math
from collections.abc import Callable
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr, ndtri, stdtrit

from stages.statistics.estimates import Estimate
from stages.statistics.verdicts import Levels, Verdict, verdicts

POWER, MOST = 0.8, 48
"""The power at which it is said what a pair needs, and the replicates not worth asking beyond."""
POINTS = 2000
"""Quantiles of the sample standard deviation over which power is averaged."""
GRID = 400
"""The same, where they are crossed with as many quantiles of the mean."""


def difference_power(effect: float, sd: float, n: int, alpha: float = 0.05) -> float:
    """The chance that a paired t-test of two-sided level `alpha` finds a difference.

    `effect` is the true mean difference, `sd` the true standard deviation over replicates: the
    tails of the noncentral t-distribution of n - 1 degrees of freedom. 0 for one replicate.
    """
    if n < 2:
        return 0.0
    if sd == 0:
        return float(effect != 0)
    error = sd / math.sqrt(n)
    half = float(stdtrit(n - 1, 1 - alpha / 2)) * _errors(error, n)
    return float((ndtr((effect - half) / error) + ndtr((-effect - half) / error)).mean())


def equivalence_power(
    effect: float, sd: float, n: int, margin: float, alpha: float = 0.05
) -> float:
    """The chance that two one-sided t-tests of level `alpha` put a difference inside the margin.

    `effect` and `sd` as above. The mean must lie within the margin, less t(n - 1, 1 - alpha) of
    its standard errors, at either side.
    """
    if n < 2:
        return 0.0
    if sd == 0:
        return float(abs(effect) < margin)
    error = sd / math.sqrt(n)
    room = margin - float(stdtrit(n - 1, 1 - alpha)) * _errors(error, n)
    inside = ndtr((room - effect) / error) - ndtr((-room - effect) / error)
    return float(np.maximum(inside, 0).mean())


def repeat(value: Estimate, margin: float, levels: Levels) -> dict[Verdict, float]:
    """The chances of each verdict in a study of as many new replicates.

    The replication probability of Goodman (1992), with mean and standard deviation as they look:
    a p-value that just reaches its level comes again in half of all repeats. NaN from one
    replicate.
    """
    if not value.has_interval:
        return dict.fromkeys(get_args(Verdict), math.nan)
    part = quantiles(GRID)
    mean = value.mean + value.sd / math.sqrt(value.n) * ndtri(part)
    sd = value.sd * np.sqrt(chdtri(value.n - 1, part) / (value.n - 1))
    found = verdicts(mean[:, None], sd, value.n, margin, levels)
    return {each: float((found == each).mean()) for each in get_args(Verdict)}


def replicates_needed(
    power: Callable[[int], float], target: float = POWER, most: int = MOST, seen: int = 1
) -> int | None:
    """The fewest replicates, more than those `seen`, whose power reaches `target`.

    What is open with those seen takes more, whatever their power was. None for more than `most`.
    """
    return next((n for n in range(seen + 1, most + 1) if power(n) >= target), None)


def quantiles(number: int) -> NDArray[np.float64]:
    """The midpoints of `number` equal parts of (0, 1), to average over a distribution."""
    return (np.arange(number) + 0.5) / number


def _errors(error: float, n: int) -> NDArray[np.float64]:
    """Return quantiles of the standard error that n replicates estimate where it is `error`."""
    chi = chdtri(n - 1, quantiles(POINTS))
    return np.asarray(error * np.sqrt(chi / (n - 1)))
