"""Which of several arms wins, and where none does, which may be the best."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

from stages.statistics.estimates import NO_SPREAD, Estimate, paired

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Contest:
    """The arm of the highest mean, and its paired margin over every other arm.

    Each margin's interval has the level asked for, by itself. `best_set` are the arms, by mean,
    that no rival beats; one that is truly best is in it with that level. `twins` are the arms that
    are identical to one that stands for them, by its name.
    """

    best: str
    margins: Mapping[str, Estimate]
    best_set: Sequence[str]
    twins: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def winner(self) -> str | None:
        """`best` when every margin's interval lies above 0; None otherwise or without rivals.

        An intersection-union test (Berger 1982): all comparisons must succeed, so each may have
        the whole level, and no adjustment is due. Two differences that coincide decide nothing.
        """
        won = all(m.above_zero and not m.coincides for m in self.margins.values())
        return self.best if self.margins and won else None

    @property
    def runner_up(self) -> str | None:
        """The arm with the smallest mean margin, None without rivals."""
        return min(self.margins, key=lambda name: self.margins[name].mean, default=None)


def contest(
    scores: "Mapping[str, pd.Series[float]]",
    confidence: float,
    alike: Iterable[Collection[str]] = (),
) -> Contest:
    """Hold the arm of the highest mean (the first of equals) against each of the others.

    `alike` are groups of arms of equal plans; those of equal scores too compete once.
    """
    twins = distinct(scores, alike)
    means = {name: float(scores[name].mean()) for name in twins}
    best = max(means, key=lambda name: means[name])
    margins = {
        name: paired(scores[best], scores[name], confidence) for name in twins if name != best
    }
    unbeaten = best_set({name: scores[name] for name in twins}, confidence)
    return Contest(best, margins, unbeaten, {name: same for name, same in twins.items() if same})


def best_set(scores: "Mapping[str, pd.Series[float]]", confidence: float) -> list[str]:
    """The arms that no rival beats at one-sided (1 - confidence) / rivals, the highest mean first.

    Each pair has its own standard deviation, so that arms may scatter unequally. By Bonferroni a
    truly best arm is beaten by any of its rivals with at most 1 - confidence. All have the same
    replicates. Two differences that coincide beat nothing, as they decide nothing in any pair.
    """
    order = sorted(scores, key=lambda name: -float(scores[name].mean()))
    seeds = scores[order[0]].index
    table = np.array([scores[name].reindex(seeds) for name in order])
    if len(seeds) < 2:
        return order
    leads = table[None] - table[:, None]
    critical = stdtrit(len(seeds) - 1, 1 - (1 - confidence) / max(len(order) - 1, 1))
    spread = leads.std(-1, ddof=1)
    beats = leads.mean(-1) > critical * spread / math.sqrt(len(seeds))
    if len(seeds) == 2:
        beats &= spread > NO_SPREAD
    return [name for name, lost in zip(order, beats.any(1), strict=True) if not lost]


def distinct(
    scores: "Mapping[str, pd.Series[float]]", alike: Iterable[Collection[str]]
) -> dict[str, list[str]]:
    """Return each arm that differs from those before it, with its twins.

    Twins are in one group of `alike` and have equal scores in every replicate. Of each group the
    arm that comes first in `scores` stands for it.
    """
    group_of = {name: number for number, group in enumerate(alike) for name in group}
    found: dict[str, list[str]] = {}
    for name, values in scores.items():
        number = group_of.get(name, math.nan)
        first = next(
            (one for one in found if group_of.get(one) == number and values.equals(scores[one])),
            None,
        )
        if first is None:
            found[name] = []
        else:
            found[first].append(name)
    return found
