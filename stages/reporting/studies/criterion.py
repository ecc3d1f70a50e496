"""Whether the pruning criterion still matters once the schedule of retraining is right."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from stages.reporting.studies.contrasts import Contrast, distinct, in_points, key_of, together
from stages.reporting.studies.origins import compact
from stages.reporting.studies.roles import FINETUNE, NAMES, ONECYCLE, Case
from stages.reporting.studies.words import VERDICTS, Words, tally
from stages.reporting.tables import folded, markdown, with_interval
from stages.reporting.words import code, count, decimal, listed

TITLE = "Whether the criterion matters"
SCHEDULES = (FINETUNE, ONECYCLE)
RANDOM = "random"
SIZE = ("granularity", "units", "allocation", "rounds")
"""Keys of a pruning method that say how much it prunes and of what."""
CHANGES: Words = {
    "better": "it grows",
    "same": "it stays the same",
    "worse": "it shrinks",
    "undecided": "open",
}
NOTHING = "No study prunes by a criterion and at random, as much of the same, under one-cycle."
Gains = Mapping[str, Sequence[Contrast]]
"""A criterion minus random pruning, under each of SCHEDULES."""


def gains(cases: Sequence[Case]) -> Gains:
    """Each criterion minus random pruning of as much, under each schedule."""
    return {
        role: [one for case in cases for one in _gains(case, cases, role)] for role in SCHEDULES
    }


def summary(found: Gains, confidence: float, margin: float) -> str:
    """Say what the informed criterion gains under each schedule, and what every one does."""
    if not found[ONECYCLE]:
        return NOTHING
    informed = {role: _informed(cases) for role, cases in found.items()}
    parts = []
    if informed[ONECYCLE]:
        names = sorted({code(one.case.method) for one in informed[ONECYCLE]})
        said = [
            f"{in_points(value)} points under {NAMES[role]} (**{VERDICTS[value.verdict]}**)"
            for role, cases in informed.items()
            if cases
            for value in [together(cases, confidence, margin)]
        ]
        parts.append(f"{listed(names)} minus random pruning: {listed(said)}.")
    said_of = [one.verdict for one in distinct(found[ONECYCLE])]
    cases = count(len(said_of), "case")
    parts.append(f"All criteria under one-cycle, {cases}: {tally(said_of, VERDICTS)}.")
    return " ".join(parts)


def text(found: Gains, confidence: float, margin: float) -> str:
    """The same, and every criterion of every study."""
    if not found[ONECYCLE]:
        return NOTHING
    parts = [summary(found, confidence, margin)]
    if moved := _changes({role: _informed(cases) for role, cases in found.items()}):
        change = together(moved, confidence, margin)
        word = CHANGES[change.verdict]
        parts.append(
            f"From fine-tuning to one-cycle the gain changes by {in_points(change)} points: {word}."
        )
    how = (
        "A criterion minus random pruning of as much of the same, paired by seed, in each study "
        "and for each budget."
    )
    header = ["Study", "Method", "Schedule", "Kept, %", "Epochs", "n", "Gain, points", "It is"]
    rows = [_row(role, one) for role, cases in found.items() for one in distinct(cases)]
    table = folded(f"All {len(rows)} gains over random pruning", markdown(header, rows, left=3))
    return "\n\n".join([*parts, how, table])


def _gains(case: Case, cases: Sequence[Case], role: str) -> Iterator[Contrast]:
    """Hold a case of a criterion against those of random pruning of as much, under a schedule."""
    form, name = case.study.method_forms[case.method], case.roles.get(role)
    if name is None or form["criterion"] == RANDOM:
        return
    for rival in cases:
        other = rival.study.method_forms[rival.method]
        if (
            (rival.study.name, rival.epochs) == (case.study.name, case.epochs)
            and other["criterion"] == RANDOM
            and all(form.get(key) == other.get(key) for key in SIZE)
            and name in rival.scores
            and not pd.concat([case.scores[name], rival.scores[name]]).isna().any()
        ):
            key = compact([key_of(case, case.study.schedule_forms[name]), other])
            yield Contrast(case, case.scores[name], rival.scores[name], key)


def _informed(cases: Sequence[Contrast]) -> list[Contrast]:
    """Return those of the method that each study calls the informed one."""
    return [one for one in cases if one.case.method == one.study.compare.informed]


def _changes(found: Gains) -> list[Contrast]:
    """Return the gain under one-cycle minus that under fine-tuning, where a case has both."""
    before = {(one.study.name, one.case.method, one.case.epochs): one for one in found[FINETUNE]}
    pairs = [
        (one, before.get((one.study.name, one.case.method, one.case.epochs)))
        for one in found[ONECYCLE]
    ]
    return [
        Contrast(one.case, one.points, other.points, compact([one.key, other.key]))
        for one, other in pairs
        if other
    ]


def _row(role: str, one: Contrast) -> list[str]:
    return [
        code(one.study.name),
        code(one.case.method),
        NAMES[role],
        f"{one.kept:.1f}",
        decimal(one.case.epochs),
        str(len(one.points)),
        with_interval(one.estimate),
        VERDICTS[one.verdict],
    ]
