"""What a study shows: who wins under which budget, and how pruning and schedule trade off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from stages.fault import Fault
from stages.params.compare import Compare
from stages.reporting.ablation import Ablation, ablations
from stages.reporting.claims import judge
from stages.reporting.families import families
from stages.reporting.measures import last_test, last_validation
from stages.reporting.records import Arm
from stages.reporting.results import Study
from stages.reporting.scene import Claim, scene
from stages.reporting.statistics import Contest, Estimate, contest, paired


@dataclass(frozen=True)
class Verdict:
    """The contest among one method's arms of one budget."""

    method: str
    epochs: int
    contest: Contest


@dataclass(frozen=True)
class Comparison:
    """`first` - `second`, each a (method, schedule), on last-epoch test accuracy, in points."""

    kind: str
    first: tuple[str, str]
    second: tuple[str, str]
    difference: Estimate


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


@dataclass(frozen=True)
class Findings:
    """A study and all that was found in it: what tables, figures and the page are made from.

    `lines` joins the schedules that differ in budget alone; `ablations` follow `compare.path`.
    """

    study: Study
    settings: Compare
    verdicts: Sequence[Verdict]
    crossed: Crossed | None
    lines: Mapping[str, Sequence[str]]
    ablations: Sequence[Ablation]
    claims: Sequence[Claim]

    @property
    def baseline(self) -> str:
        """The label of the baseline arm's line."""
        return next(line for line, names in self.lines.items() if self.settings.baseline in names)

    def baseline_of(self, arm: Arm) -> Arm:
        """What an arm is compared with: the baseline's line at its budget, or the baseline arm."""
        names = [*self.lines[self.baseline], self.settings.baseline]
        rivals = [self.study.arms[arm.method, name] for name in names]
        return next((rival for rival in rivals if rival.epochs == arm.epochs), rivals[-1])

    def to_baseline(self, arm: Arm) -> Estimate | None:
        """An arm's test accuracy minus its baseline's, paired by seed; None for the baseline."""
        baseline = self.baseline_of(arm)
        if baseline is arm:
            return None
        return paired(last_test(arm), last_test(baseline), self.settings.confidence)


def find(study: Study, settings: Compare, schedules: Mapping[str, Any]) -> Findings:
    """Compare all arms; `schedules` are the entries of params.yaml, by name."""
    check_names(study, settings)
    lines = families(schedules)
    return Findings(
        study,
        settings,
        verdicts(study, settings.confidence),
        cross(study, settings),
        lines,
        ablations(study, settings, schedules),
        judge(scene(study, settings, lines)),
    )


def check_names(study: Study, settings: Compare) -> None:
    """Raise a Fault when `compare` names an arm or a method that the study does not have."""
    for key, name, known in (
        ("baseline", settings.baseline, study.schedules),
        ("careful", settings.careful, study.methods),
        ("random", settings.random, study.methods),
        *(("path", name, study.schedules) for name in settings.path),
    ):
        if name not in known:
            raise Fault(f"compare.{key}: {name!r} is none of {', '.join(known)}")


def verdicts(study: Study, confidence: float) -> list[Verdict]:
    """One contest per method and budget, shortest budget first; arms of unequal budget never meet.

    The rule: an arm wins when its paired difference to every other arm has an interval above 0,
    adjusted over those comparisons (Bonferroni).
    """
    return [
        Verdict(method, epochs, contest(_scores(study.of(method), epochs), confidence))
        for method in study.methods
        for epochs in sorted({arm.epochs for arm in study.of(method)})
    ]


def choose(study: Study, settings: Compare) -> tuple[str, Literal["validation", "test"]]:
    """The best schedule for the careful method, at the baseline arm's budget, and the split used.

    The highest mean validation accuracy after the last epoch, since test data takes part in no
    choice; test accuracy only when there is no validation split. Networks trained from a fresh
    start are controls and are not chosen.
    """
    budget = study.arms[settings.careful, settings.baseline].epochs
    arms = [
        arm
        for arm in study.of(settings.careful)
        if arm.schedule == settings.baseline or (arm.epochs == budget and arm.start != "fresh")
    ]
    validated = all(last_validation(arm).notna().all() for arm in arms)
    score = last_validation if validated else last_test
    best = max(arms, key=lambda arm: float(score(arm).mean()))
    return best.schedule, "validation" if validated else "test"


def cross(study: Study, settings: Compare) -> Crossed | None:
    """Random pruning against careful pruning (Le & Hua 2021, claim on random pruning).

    None when `compare` names one method for both.
    """
    if settings.careful == settings.random:
        return None
    best, chosen_on = choose(study, settings)
    base = settings.baseline

    def against(kind: str, first: str, second: str) -> Comparison:
        ours, theirs = (settings.random, first), (settings.careful, second)
        difference = paired(
            last_test(study.arms[ours]), last_test(study.arms[theirs]), settings.confidence
        )
        return Comparison(kind, ours, theirs, difference)

    moved = best != base
    return Crossed(
        best,
        chosen_on,
        same_baseline=against("same_schedule_baseline", base, base),
        same_best=against("same_schedule_best", best, best) if moved else None,
        crossed=against("crossed", best, base) if moved else None,
    )


def _scores(arms: Sequence[Arm], epochs: int) -> dict[str, pd.Series]:
    return {arm.schedule: last_test(arm) for arm in arms if arm.epochs == epochs}
