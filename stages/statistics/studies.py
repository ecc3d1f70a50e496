"""Many studies as one number, as Agarwal et al. (2021) recommend for few runs of many tasks."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Runs = Sequence[NDArray[np.float64]]
"""The scores of an arm, one array of runs per study."""
DRAWS = 2000


def interquartile_mean(scores: Runs) -> float:
    """The mean of the middle half of all runs of all studies, a quarter cut off at each end."""
    runs = np.sort(np.concatenate(scores))
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
) -> tuple[float, float]:
    """The percentile interval of a statistic of one or several arms.

    Stratified: each draw takes as many runs of every arm and study as there are, with
    replacement, from that arm and study alone.
    """
    rng = np.random.default_rng(seed)

    def drawn(runs: NDArray[np.float64]) -> NDArray[np.float64]:
        return rng.choice(runs, len(runs))

    values = [statistic(*([drawn(runs) for runs in arm] for arm in arms)) for _ in range(draws)]
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)
