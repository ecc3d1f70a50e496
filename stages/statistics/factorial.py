"""A full factorial of two-level factors: main effects, interactions, and factors in exchange."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from stages.statistics.estimates import Estimate, bonferroni, estimate

Signs = NDArray[np.float64]


@dataclass(frozen=True)
class Contrast:
    """A contrast of cells: an effect of factors, or the `first` factor in place of the `second`.

    `by_seed` is its value in each replicate. `confidence` is the interval's level by itself.
    """

    factors: tuple[int, ...]
    exchange: bool
    by_seed: NDArray[np.float64]
    difference: Estimate
    confidence: float


def contrasts(
    scores: NDArray[np.float64], levels: NDArray[np.bool_], confidence: float
) -> list[Contrast]:
    """Return all contrasts of the scores [replicate, cell]; `levels` [cell, factor] are its cells.

    First the effects, main effects before interactions (see `effect`), then the exchanges of two
    factors (see `exchange`). A contrast of a replicate is one number, so its interval is Student's
    over replicates: what they share cancels, and cells may scatter unequally. All intervals hold
    together at `confidence`, by Bonferroni, however the contrasts are correlated.
    """
    factors = range(levels.shape[1])
    effects = [which for size in factors for which in combinations(factors, size + 1)]
    pairs = list(combinations(factors, 2))
    weights = [(which, False, effect(levels, which)) for which in effects]
    weights += [(pair, True, exchange(levels, *pair)) for pair in pairs]
    each = bonferroni(confidence, len(weights))
    values = [scores @ weight for _, _, weight in weights]
    return [
        Contrast(which, swapped, by_seed, estimate(by_seed, each), each)
        for (which, swapped, _), by_seed in zip(weights, values, strict=True)
    ]


def effect(levels: NDArray[np.bool_], factors: Sequence[int]) -> Signs:
    """Return the weights [cell] of an effect (Box, Hunter & Hunter 2005, chapter 5).

    That of one factor is the mean where it is high minus the mean where it is low. An interaction
    of two is half the difference of the first one's effects where the second is high and low, and
    so on: the product of the signs, over half the number of cells.
    """
    signs: Signs = np.where(levels, 1.0, -1.0)[:, list(factors)]
    return np.asarray(signs.prod(1) / (len(levels) / 2))


def exchange(levels: NDArray[np.bool_], first: int, second: int) -> Signs:
    """Return the weights [cell] of one factor in place of another.

    The mean where the first alone of the two is high minus that where the second alone is: the
    difference of their main effects.
    """
    return effect(levels, [first]) - effect(levels, [second])
