"""What a study shows: who wins under which budget, and how pruning and schedule trade off."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from stages.fault import Fault
from stages.params.compare import Compare
from stages.reporting.measures import last_test, last_validation
from stages.reporting.records import Arm
from stages.reporting.results import Study
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

    `lines` joins the schedules that differ in budget alone.
    """

    study: Study
    settings: Compare
    verdicts: Sequence[Verdict]
    crossed: Crossed | None
    lines: Mapping[str, Sequence[str]]


def find(study: Study, settings: Compare, schedules: Mapping[str, Any]) -> Findings:
    """Compare all arms; `schedules` are the entries of params.yaml, by name."""
    check_names(study, settings)
    return Findings(
        study,
        settings,
        verdicts(study, settings.confidence),
        cross(study, settings),
        families(schedules),
    )


def check_names(study: Study, settings: Compare) -> None:
    """Raise a Fault when `compare` names an arm or a method that the study does not have."""
    for key, name, known in (
        ("baseline", settings.baseline, study.schedules),
        ("careful", settings.careful, study.methods),
        ("random", settings.random, study.methods),
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


def families(schedules: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Join the schedules that differ in `epochs` alone: label -> names, in the given order."""
    groups: dict[str, list[str]] = {}
    for name, settings in schedules.items():
        rest = {key: value for key, value in settings.items() if key != "epochs"}
        groups.setdefault(json.dumps(rest, sort_keys=True), []).append(name)
    labels = [_label(names) for names in groups.values()]
    return {
        label if labels.count(label) == 1 else names[0]: names
        for label, names in zip(labels, groups.values(), strict=True)
    }


def representatives(study: Study, lines: Mapping[str, Sequence[str]], baseline: str) -> list[str]:
    """Of each family the schedule whose budget is nearest to the baseline arm's."""
    method = study.methods[0]
    budget = study.arms[method, baseline].epochs

    def distance(schedule: str) -> int:
        return abs(study.arms[method, schedule].epochs - budget)

    return [min(names, key=distance) for names in lines.values()]


def _scores(arms: Sequence[Arm], epochs: int) -> dict[str, pd.Series]:
    return {arm.schedule: last_test(arm) for arm in arms if arm.epochs == epochs}


def _label(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    head = names[0].rstrip("0123456789").rstrip("_")
    return head if all(name.startswith(head) for name in names) else names[0]
