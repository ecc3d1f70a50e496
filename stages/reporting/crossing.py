"""Crossed comparisons: what two arms differ in, and pruning methods held against each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from stages.reporting.keys import Keys, changed, keys_of
from stages.reporting.measures import last_test, last_validation
from stages.reporting.report import Report
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate
from stages.statistics.verdicts import Verdict

PRUNING = "pruning"
"""Stands for the pruning method among the keys that arms differ in."""


def keys_in(report: Report, arm: ArmResult) -> Keys:
    """Return the keys of an arm, as it was run."""
    lr, momentum = arm.points.lr, arm.points.momentum
    return keys_of(report.schedules[arm.schedule], arm.epochs, lr, momentum, arm.rounds)


def changes(report: Report, first: ArmResult, second: ArmResult) -> list[str]:
    """Return what two arms differ in: their pruning, and the keys of their entries (see `keys`).

    A comparison of arms that differ in two or more is crossed: it says what all of these do
    together, and of none what it does.
    """
    pruning = [PRUNING] if first.method != second.method else []
    return [*pruning, *changed(keys_in(report, first), keys_in(report, second))]


def is_crossed(differing: Sequence[str]) -> bool:
    """Whether a comparison of arms that differ in these is crossed."""
    return len(differing) > 1


@dataclass(frozen=True)
class Comparison:
    """`first` - `second`, each a (method, schedule), on last-epoch test accuracy, in points.

    `changes` are what they differ in.
    """

    kind: str
    first: tuple[str, str]
    second: tuple[str, str]
    changes: Sequence[str]
    difference: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Crossed:
    """The crossed comparison and, beside it, the comparisons under one schedule.

    `best` is the schedule chosen on `chosen_on`; `same_best` is None when it is the baseline
    arm, since then there is nothing to cross.
    """

    best: str
    chosen_on: Literal["validation", "test"]
    same_baseline: Comparison
    same_best: Comparison | None
    crossed: Comparison | None

    @property
    def all(self) -> list[Comparison]:
        """The comparisons that there are, the crossed one last."""
        found = (self.same_baseline, self.same_best, self.crossed)
        return [comparison for comparison in found if comparison]


def choose(report: Report) -> tuple[str, Literal["validation", "test"]] | None:
    """The best schedule for the informed method, at the baseline arm's budget, and the split used.

    The highest mean validation accuracy after the last epoch, since test data takes part in no
    choice; test accuracy only when there is no validation split. Networks trained from a fresh
    start are controls and are not chosen, nor are arms that diverged; None where no other is left.
    """
    results, settings = report.results, report.settings
    budget = results.arms[settings.informed, settings.baseline].epochs
    arms = [
        arm
        for arm in results.of(settings.informed)
        if arm.schedule == settings.baseline or (arm.epochs == budget and arm.start != "fresh")
        if not arm.diverged
    ]
    if not arms:
        return None
    validated = all(last_validation(arm).notna().all() for arm in arms)
    score = last_validation if validated else last_test
    best = max(arms, key=lambda arm: float(score(arm).mean()))
    return best.schedule, "validation" if validated else "test"


def cross(report: Report) -> Crossed | None:
    """Random pruning against informed pruning (Le & Hua 2021, claim on random pruning).

    None when `compare` names one method for both, or no schedule is the best.
    """
    settings = report.settings
    chosen = choose(report)
    if settings.informed == settings.random or chosen is None:
        return None
    best, chosen_on = chosen
    base = settings.baseline

    def against(kind: str, first: str, second: str) -> Comparison:
        names = (settings.random, first), (settings.informed, second)
        arms = [report.results.arms[name] for name in names]
        difference = report.gap(*arms)
        return Comparison(
            kind, *names, changes(report, *arms), difference, report.verdict(difference)
        )

    differ = best != base
    return Crossed(
        best,
        chosen_on,
        same_baseline=against("same_schedule_baseline", base, base),
        same_best=against("same_schedule_best", best, best) if differ else None,
        crossed=against("crossed", best, base) if differ else None,
    )
