"""Whether a growing study is worth going on with: what its open pairs can still come to."""

import math
from collections.abc import Iterable, Sequence
from typing import get_args

import numpy as np
from scipy.special import chdtri, ndtri

from stages.statistics.estimates import Estimate
from stages.statistics.power import (
    MOST,
    POWER,
    difference_power,
    equivalence_power,
    quantiles,
    replicates_needed,
)
from stages.statistics.verdicts import Levels, Verdict, verdict, verdicts

POINTS = 32
"""Quantiles of each of the three distributions over which an outlook is averaged."""
LEAST_CHANCE = 0.2
"""The chance to be decided at the last look below which a pair is not worth more replicates."""


def next_look(looks: Sequence[int], replicates: int, chances: Iterable[float]) -> int | None:
    """Return the replicates of the next look; None where the study ends.

    It ends when no pair is open, at the last look, and when no open pair has a chance of
    LEAST_CHANCE or more to be decided by then (futility, which makes no verdict wrong). `chances`
    are those of the open pairs, NaN where one replicate tells nothing.
    """
    worth = any(not chance < LEAST_CHANCE for chance in chances)
    return next((n for n in looks if n > replicates), None) if worth else None


def chance_to_decide(value: Estimate, last: int, margin: float, levels: Levels) -> float:
    """The chance that a pair is decided at the last look, of `levels`, given what is known."""
    return 1 - outlook(value, last, margin, levels)["undecided"]


def decisive(
    value: Estimate, margin: float, levels: Levels, target: float = POWER, most: int = MOST
) -> int | None:
    """The replicates that decide an open pair with the power `target`, one way or the other.

    If effect and standard deviation are as they look; None for more than `most`, and from one
    replicate.
    """

    def power(n: int) -> float:
        different = difference_power(value.mean, value.sd, n, levels.difference)
        same = equivalence_power(value.mean, value.sd, n, margin, levels.equivalence)
        return max(different, same)

    return replicates_needed(power, target, most, value.n) if value.has_interval else None


def outlook(value: Estimate, n: int, margin: float, levels: Levels) -> dict[Verdict, float]:
    """The chances of each verdict at n replicates, given those so far.

    Replicates to come are drawn from a normal distribution of which only what was seen is known:
    its mean and variance have Student's and the scaled inverse chi-squared posteriors of the
    reference prior. This conditional power, averaged over what the data leave open, is the
    predictive power of Spiegelhalter, Freedman & Blackburn (1986). NaN from one replicate.
    """
    more, seen = n - value.n, (value.n - 1) * value.sd**2
    if value.n < 2:
        return dict.fromkeys(get_args(Verdict), math.nan)
    if more <= 0:
        now = verdict(value, margin, levels)
        return {each: float(each == now) for each in get_args(Verdict)}
    part = quantiles(POINTS)
    sigma = np.sqrt(seen / chdtri(value.n - 1, part))[:, None, None]
    shift = sigma * ndtri(part)[:, None] * math.sqrt(1 / value.n + 1 / more)
    scatter = sigma**2 * (chdtri(more - 1, part) if more > 1 else np.zeros(1))
    squares = seen + scatter + value.n * more / n * shift**2
    mean = value.mean + more / n * shift + np.zeros_like(squares)
    found = verdicts(mean, np.sqrt(squares / (n - 1)), n, margin, levels)
    return {each: float((found == each).mean()) for each in get_args(Verdict)}
