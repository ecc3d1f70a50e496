"""Two arms of a case, by seed; and what such differences of many studies say together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.reporting.studies.forms import OWN, Form
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.origins import compact
from stages.reporting.studies.roles import TUNED, Case
from stages.reporting.words import signed
from stages.statistics.estimates import NO_SPREAD, Estimate, bonferroni, estimate
from stages.statistics.studies import EACH, Aggregate, aggregate
from stages.statistics.verdicts import Levels, Verdict, verdict


@dataclass(frozen=True)
class Contrast:
    """`first` - `second` of a case, by seed: accuracies minus the dense network's, in points.

    `key` is equal for the same arms, whatever study they are in; an arm that was chosen among
    several is one of `tried`.
    """

    case: Case
    first: "pd.Series[float]"
    second: "pd.Series[float]"
    key: str
    tried: int = 1

    @property
    def study(self) -> Kept:
        """The study of the case."""
        return self.case.study

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
        return float(arms[arms.method == self.case.method].parameters_kept_percent.mean())

    @property
    def budget(self) -> float:
        """The epochs of all rounds of retraining in percent of those of the dense run."""
        return 100 * self.case.epochs * self.case.rounds / self.study.dense_epochs

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


def between(case: Case, first: str, second: str) -> Contrast | None:
    """Hold two schedules of a case against each other; None where a replicate diverged."""
    forms = case.study.schedule_forms
    scores = case.scores[[first, second]]
    if scores.isna().any(axis=None):
        return None
    key = key_of(case, forms[first], forms[second])
    return Contrast(case, scores[first], scores[second], key)


def between_roles(case: Case, first: str, second: str) -> Contrast | None:
    """Hold the schedules in two roles against each other; None where one is vacant or diverged.

    The best other constant rate is one arm, whichever it is.
    """
    names = case.roles
    if not {first, second} <= {*names}:
        return None
    one = between(case, names[first], names[second])
    forms = case.study.schedule_forms
    arms = [role if role == TUNED else forms[names[role]] for role in (first, second)]
    tried = len({*case.other_rates.values()}) if TUNED in (first, second) else 1
    return one and replace(one, key=key_of(case, *arms), tried=tried)


def key_of(case: Case, *forms: Form | str) -> str:
    """Return what is equal for the same arms of the same dense networks."""
    method = case.study.method_forms[case.method]
    return compact([case.study.networks, method, case.epochs, *forms])


def distinct(found: Iterable[Contrast]) -> list[Contrast]:
    """Leave out contrasts of arms that another study has, chosen among more or with more seeds."""
    largest: dict[str, Contrast] = {}
    for one in found:
        other = largest.setdefault(one.key, one)
        if (one.tried, len(one.first)) > (other.tried, len(other.first)):
            largest[one.key] = one
    return sorted(largest.values(), key=lambda one: one.study.name)


def families(studies: Sequence[Kept]) -> list[list[Kept]]:
    """Group the studies that train the same dense networks, seed by seed.

    Their runs are no independent ones, however many studies they are in.
    """
    alike: dict[str, list[Kept]] = {}
    for study in studies:
        alike.setdefault(study.networks, []).append(study)
    return list(alike.values())


def by_family(found: Iterable[Contrast]) -> list[list[Contrast]]:
    """Group contrasts by the dense networks of their studies."""
    alike: dict[str, list[Contrast]] = {}
    for one in found:
        alike.setdefault(one.study.networks, []).append(one)
    return list(alike.values())


def named(study: Kept) -> str:
    """Return what the dense networks of a study are called: by images of one's own, by its name."""
    return f"{study.network} on {study.name if study.data in OWN else study.data}"


def runs(family: Sequence[Contrast]) -> NDArray[np.float64]:
    """Return both arms [seed, arm], averaged over the cases of a study, then over studies.

    Seeds are those that all studies have, or else what differs between studies would be taken for
    spread between seeds. A study that leaves fewer than EACH of a larger one's is not among them.
    """
    by_study: dict[str, list[pd.DataFrame]] = {}
    for one in family:
        both = pd.DataFrame({"first": one.first, "second": one.second})
        by_study.setdefault(one.study.name, []).append(both)
    means = [pd.concat(each).groupby(level=0).mean() for each in by_study.values()]
    largest, *others = sorted(means, key=len, reverse=True)
    taken, shared = [largest], largest.index
    for each in others:
        left = shared.intersection(each.index)
        if len(left) >= EACH:
            taken, shared = [*taken, each], left
    return pd.concat(taken).groupby(level=0).mean().loc[shared].to_numpy(float)


def together(found: Sequence[Contrast], confidence: float, margin: float) -> Aggregate:
    """Judge contrasts of several studies as one, every set of dense networks counting the same.

    The same arms count once.
    """
    by_dense = [runs(family) for family in by_family(distinct(found))]
    ours, theirs = ([run[:, side] for run in by_dense] for side in (0, 1))
    return aggregate(ours, theirs, confidence, margin)


def in_points(value: Aggregate) -> str:
    """Return a difference of many studies with its interval; without one where nothing scatters."""
    low, high = value.interval
    ends = f" [{signed(low)}, {signed(high)}]" if high - low > NO_SPREAD else ""
    return signed(value.difference) + ends


def by_set(value: Aggregate) -> str:
    """Return the lowest and the highest difference of a set of dense networks; a dash for one."""
    each = value.by_study
    return f"{signed(min(each))} to {signed(max(each))}" if len(each) > 1 else "–"


def chance(value: Aggregate) -> str:
    """Return how often a random run of the first is better than one of the second, in percent."""
    first, low, high = (f"{100 * p:.0f}" for p in (value.improvement, *value.improvement_interval))
    return f"{first} [{low}, {high}]"
