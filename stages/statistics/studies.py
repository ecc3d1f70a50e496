"""Many studies as one number, as Agarwal et al. (2021) recommend for few runs of many tasks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stages.statistics.verdicts import Verdict

Runs = Sequence[NDArray[np.float64]]
"""The scores of an arm, one array of runs per study."""
Interval = tuple[float, float]
DRAWS = 2000
FEWEST, EACH = 6, 4
"""Runs in all, and of each study, below which nothing is decided: equal arms would differ in 7 %
of cases with five runs, in 8 % with two studies of three, in 12 % with three of two."""


@dataclass(frozen=True)
class Aggregate:
    """Two arms over all studies: their paired differences in points, every study counting the same.

    `by_study` are the interquartile means of each. `improvement` is the probability that a run of
    the first is better. Difference and probability have intervals.
    """

    difference: float
    by_study: Sequence[float]
    interval: Interval
    improvement: float
    improvement_interval: Interval
    verdict: Verdict


def aggregate(
    first: Runs,
    second: Runs,
    confidence: float,
    margin: float,
    seed: int = 0,
    draws: int = DRAWS,
) -> Aggregate:
    """Judge `first` - `second`, paired by run within every study.

    Better or worse: neither interval holds what no difference would give, 0 and one half. By one
    of them alone two equal arms would differ in 10 % of cases with few runs, as percentile
    intervals are too short then; by both they do in about 5 %. Same: the interval of the
    difference lies within `margin` of 0. Undecided otherwise, with fewer than FEWEST runs, and
    where a study has fewer than EACH. Intervals of few runs are short: those of a difference cover
    92 % where 95 are asked for with two studies of eight.
    """
    gaps = [ours - theirs for ours, theirs in zip(first, second, strict=True)]
    interval = partial(bootstrap_interval, confidence=confidence, seed=seed, draws=draws)
    low, high = interval(mean_of_studies, gaps)
    chance = interval(improvement, first, second)
    found: Verdict = "undecided"
    runs = [len(gap) for gap in gaps]
    if min(runs) >= EACH and sum(runs) >= FEWEST:
        if -margin < low and high < margin:
            found = "same"
        elif low > 0 and chance[0] > 0.5:
            found = "better"
        elif high < 0 and chance[1] < 0.5:
            found = "worse"
    each = [interquartile_mean(gap) for gap in gaps]
    value, won = mean_of_studies(gaps), improvement(first, second)
    return Aggregate(value, each, (low, high), won, chance, found)


def mean_of_studies(scores: Runs) -> float:
    """The mean of the studies' interquartile means.

    The runs of all studies in one would be clusters, their middle half between these: a value that
    no study has, and that depends on how many runs each has.
    """
    return float(np.mean([interquartile_mean(runs) for runs in scores]))


def interquartile_mean(scores: NDArray[np.float64]) -> float:
    """The mean of the middle half of runs, a quarter cut off at each end."""
    runs = np.sort(scores, axis=None)
    cut = len(runs) // 4
    return float(runs[cut : len(runs) - cut].mean())


def improvement(first: Runs, second: Runs) -> float:
    """The probability that a run of `first` is better than one of `second` in a random study.

    The Mann-Whitney statistic over all pairs of runs, ties as halves, averaged over studies.
    """
    by_study = [
        float((0.5 + 0.5 * np.sign(ours[:, None] - theirs)).mean())
        for ours, theirs in zip(first, second, strict=True)
    ]
    return float(np.mean(by_study))


def bootstrap_interval(
    statistic: Callable[..., float],
    *arms: Runs,
    confidence: float,
    seed: int,
    draws: int = DRAWS,
) -> Interval:
    """The percentile interval of a statistic of one or several arms.

    Stratified: each draw takes as many runs of every arm and study as there are, with
    replacement, from that arm and study alone.
    """
    rng = np.random.default_rng(seed)

    drawn = [[rng.choice(runs, (draws, len(runs))) for runs in arm] for arm in arms]
    values = [statistic(*([runs[i] for runs in arm] for arm in drawn)) for i in range(draws)]
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
