"""Looking at a study while it grows: how strict each look must be."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri, roots_legendre

from stages.statistics.verdicts import Levels

NODES = 128
"""Points of the Gauss-Legendre rule over what has not been decided."""


def look_levels(looks: Sequence[int], levels: Levels) -> tuple[Levels, ...]:
    """The levels of every look, so that all looks together keep `levels`.

    `looks` are numbers of replicates, rising; the last one ends the study. Equivalence is two
    one-sided tests, so each has half the level of a two-sided test of twice its error.
    """
    fractions = [n / looks[-1] for n in looks]
    difference = nominal(fractions, [spent(t, levels.difference) for t in fractions])
    equivalence = nominal(fractions, [spent(t, 2 * levels.equivalence) for t in fractions])
    return tuple(Levels(d, e / 2) for d, e in zip(difference, equivalence, strict=True))


def levels_at(replicates: int, looks: Sequence[int], levels: Levels) -> Levels:
    """The levels of the look at so many replicates, no more than the last of `looks`.

    A number between two planned looks is one more: what may be spent up to it follows from it and
    the last look alone (Lan & DeMets 1983).
    """
    taken = sorted({*looks, replicates})
    return look_levels(taken, levels)[taken.index(replicates)]


def spent(fraction: float, alpha: float) -> float:
    """The part of `alpha` that may be spent up to this fraction of the replicates.

    2 - 2 * Phi(z(1 - alpha / 2) / sqrt(t)), after O'Brien and Fleming (Lan & DeMets 1983).
    """
    return float(2 * ndtr(ndtri(alpha / 2) / math.sqrt(fraction)))


def nominal(fractions: Sequence[float], spending: Sequence[float]) -> list[float]:
    """The two-sided p below which each look decides, so that `spending` adds up as given.

    `spending` is cumulative. Without an effect the sum of differences is a Brownian motion at the
    `fractions`; its density where nothing is decided yet is carried from look to look by
    numerical integration (Armitage, McPherson & Rowe 1969). With t-statistics the levels hold
    on the scale of p-values, approximately (Jennison & Turnbull 2000, section 3.8): 5 % become
    5.3 % in simulation, 5.5 % where the first look has three or four replicates.
    """
    place, mass = np.zeros(1), np.ones(1)
    nodes, weights = roots_legendre(NODES)
    before, gone, found = 0.0, 0.0, []
    for fraction, total in zip(fractions, spending, strict=True):
        step = math.sqrt(fraction - before)
        bound = _boundary(place, mass, step, total - gone)
        found.append(float(2 * ndtr(-bound / math.sqrt(fraction))))
        inside = bound * nodes
        density = np.exp(-0.5 * ((inside[:, None] - place) / step) ** 2) @ mass
        place, mass = inside, density * weights * bound / (step * math.sqrt(2 * math.pi))
        before, gone = fraction, total
    return found


def _boundary(
    place: NDArray[np.float64], mass: NDArray[np.float64], step: float, budget: float
) -> float:
    """Return the distance from 0 that the next step exceeds with probability `budget`."""

    def excess(bound: float) -> float:
        beyond = ndtr((-bound - place) / step) + ndtr((place - bound) / step)
        return float(mass @ beyond) - budget

    return float(brentq(excess, 0, 40))
