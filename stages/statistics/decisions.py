"""Which pairs a growing study has decided, and whether the others are worth going on for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtri

from stages.statistics.estimates import Estimate, estimate
from stages.statistics.looks import look_levels
from stages.statistics.power import (
    difference_power,
    equivalence_power,
    quantiles,
    replicates_needed,
)
from stages.statistics.verdicts import Levels, Verdict, verdict, verdicts

K = TypeVar("K")
POINTS = 32
"""Quantiles of each of the three distributions over which an outlook is averaged."""


@dataclass(frozen=True)
class Decision:
    """What the looks so far say of a pair.

    `at` is the look that decided it, None while it is undecided. `difference` is that of all
    replicates, its interval at the level of the latest look. `chance` is that of being decided at
    the last look, 1 once it is. `needed` is how many replicates in all would decide it with the
    power asked for, if effect and standard deviation are as they look; None if more than asked.
    """

    verdict: Verdict
    at: int | None
    difference: Estimate
    chance: float
    needed: int | None


def decide(
    pairs: Mapping[K, Sequence[float] | NDArray[np.float64]],
    looks: Sequence[int],
    margin: float,
    *,
    levels: Levels | None = None,
    target: float = 0.8,
    most: int = 48,
) -> dict[K, Decision]:
    """Judge every pair at all looks so far; the first look that decides it stands.

    `pairs` are differences by replicate, in the order in which these were added; `looks` are the
    planned numbers of replicates, rising from two or more, of which the last ends the study. With
    O'Brien-Fleming spending all looks together are wrong as often as `levels` allow, 5 % where
    not given.
    """
    strict = dict(zip(looks, look_levels(looks, levels or Levels()), strict=True))
    return {
        pair: _decide(np.asarray(values, float), strict, margin, target, most)
        for pair, values in pairs.items()
    }


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


def first_decision(
    values: NDArray[np.float64], looks: Mapping[int, Levels], margin: float
) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """The verdict of the first look that decides, and that look, 0 where none does.

    `values` are differences [..., replicate]; looks beyond the last replicate have not been.
    """
    found = np.full(values.shape[:-1], "undecided")
    at = np.zeros(values.shape[:-1], int)
    for n, levels in looks.items():
        if n <= values.shape[-1]:
            part = values[..., :n]
            now = verdicts(part.mean(-1), part.std(-1, ddof=1), n, margin, levels)
            decides = (found == "undecided") & (now != "undecided")
            found, at = np.where(decides, now, found), np.where(decides, n, at)
    return found, at


def _decide(
    values: NDArray[np.float64],
    looks: Mapping[int, Levels],
    margin: float,
    target: float,
    most: int,
) -> Decision:
    first, last = min(looks), max(looks)
    latest = looks[max([n for n in looks if n <= len(values)], default=first)]
    value = estimate(values, 1 - latest.difference)
    found, at = first_decision(values, looks, margin)
    chance = 1.0 if at.item() else 1 - outlook(value, last, margin, looks[last])["undecided"]
    needed = _needed(value, margin, looks[last], target, most)
    return Decision(cast(Verdict, found.item()), at.item() or None, value, chance, needed)


def _needed(value: Estimate, margin: float, levels: Levels, target: float, most: int) -> int | None:
    def power(n: int) -> float:
        different = difference_power(value.mean, value.sd, n, levels.difference)
        same = equivalence_power(value.mean, value.sd, n, margin, levels.equivalence)
        return max(different, same)

    return replicates_needed(power, target, most)
