"""Two arms of a study, by seed; and what such differences of many studies say together."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.reporting.studies.kept import Kept
from stages.reporting.words import signed
from stages.statistics.estimates import Estimate, bonferroni, estimate
from stages.statistics.studies import Aggregate, aggregate
from stages.statistics.verdicts import Levels, Verdict, verdict


@dataclass(frozen=True)
class Contrast:
    """`first` - `second` of a study, after one method and for one budget, by seed.

    Both are test accuracies minus the dense network's, in points; no replicate diverged.
    """

    study: Kept
    method: str
    epochs: float
    first: "pd.Series[float]"
    second: "pd.Series[float]"

    @property
    def points(self) -> "pd.Series[float]":
        """The difference by seed."""
        return self.first - self.second

    @property
    def estimate(self) -> Estimate:
        """Its mean, with an interval of the study's own level."""
        return judged(self.study, self.points)[0]

    @property
    def verdict(self) -> Verdict:
        """Whether the first is better, by the study's own levels and margin."""
        return judged(self.study, self.points)[1]

    @property
    def kept(self) -> float:
        """The parameters that the method keeps, in percent of the dense network's."""
        arms = self.study.tables["arms"]
        return float(arms[arms.method == self.method].parameters_kept_percent.mean())

    @property
    def budget(self) -> float:
        """The epochs of retraining in percent of those of the dense run."""
        return 100 * self.epochs / self.study.dense_epochs

    def verdict_among(self, number: int) -> Verdict:
        """The verdict where so many contrasts are judged together (Bonferroni)."""
        levels = self.study.levels
        error = 1 - bonferroni(1 - levels.difference, number)
        value = self.estimate
        return verdict(value, self.study.compare.margin, Levels(error, levels.equivalence))


def judged(study: Kept, points: "pd.Series[float]") -> tuple[Estimate, Verdict]:
    """Return the mean of paired differences and the verdict on it, by a study's own rules."""
    value = estimate(points, 1 - study.levels.difference)
    return value, verdict(value, study.compare.margin, study.levels)


def contrasts(study: Kept, scores: pd.DataFrame, first: str, second: str) -> Iterator[Contrast]:
    """Yield the contrasts of two columns of `scores`, whose index is method, epochs and seed.

    None where one of them has no arm, or where a replicate diverged.
    """
    if {first, second} <= {*scores.columns}:
        for (method, epochs), rows in scores.groupby(level=["method", "epochs"], sort=False):
            both = rows[[first, second]].droplevel(["method", "epochs"])
            if both.notna().all(axis=None):
                yield Contrast(study, str(method), float(str(epochs)), both[first], both[second])


def distinct(found: Iterable[Contrast]) -> list[Contrast]:
    """Leave out contrasts of the same runs, which several studies of one dense network have.

    Of two that agree in every seed that both have, the one of more seeds stays.
    """
    kept: list[Contrast] = []
    for one in sorted(found, key=lambda each: -len(each.first)):
        if not any(_same(one, other) for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda each: each.study.name)


def families(studies: Sequence[Kept]) -> list[list[Kept]]:
    """Group the studies that train the same dense networks, seed by seed.

    Their runs are no independent ones, however many studies they are in.
    """
    alike: dict[str, list[Kept]] = {}
    for study in studies:
        alike.setdefault(dense_key(study), []).append(study)
    return list(alike.values())


def by_family(found: Iterable[Contrast]) -> list[list[Contrast]]:
    """Group contrasts by the dense networks of their studies."""
    alike: dict[str, list[Contrast]] = {}
    for one in found:
        alike.setdefault(dense_key(one.study), []).append(one)
    return list(alike.values())


def named(study: Kept) -> str:
    """Return what the dense networks of a study are called: by images of one's own, by its name."""
    own = study.data in ("arrays", "folder")
    return f"{study.network}, {study.name if own else study.data}"


def runs(family: Sequence[Contrast]) -> NDArray[np.float64]:
    """Return both arms [seed, arm], averaged over a family, of the seeds that all of it have."""
    firsts = pd.concat([one.first for one in family], axis=1, join="inner").mean(axis=1)
    seconds = pd.concat([one.second for one in family], axis=1, join="inner").mean(axis=1)
    return np.column_stack([firsts, seconds])


def together(found: Sequence[Contrast], confidence: float, margin: float) -> Aggregate:
    """Judge contrasts of several studies as one, every set of dense networks counting the same."""
    by_dense = [runs(family) for family in by_family(found)]
    ours, theirs = ([run[:, side] for run in by_dense] for side in (0, 1))
    return aggregate(ours, theirs, confidence, margin)


def in_points(value: Aggregate) -> str:
    """Return a difference of many studies with its interval."""
    low, high = value.interval
    return f"{signed(value.difference)} [{signed(low)}, {signed(high)}]"


def dense_key(study: Kept) -> str:
    """Return what is equal for studies of the same dense networks."""
    return json.dumps(study.dense, sort_keys=True)


def _same(one: Contrast, other: Contrast) -> bool:
    """Whether two contrasts have the same budget and, in all common seeds, the same accuracies."""
    if one.epochs != other.epochs or dense_key(one.study) != dense_key(other.study):
        return False
    pairs = [(one.first, other.first), (one.second, other.second)]
    joined = [pd.concat(pair, axis=1, join="inner").to_numpy() for pair in pairs]
    return all(len(both) and np.array_equal(both[:, 0], both[:, 1]) for both in joined)
