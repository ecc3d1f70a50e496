"""Whether the pruning criterion still matters once the schedule of retraining is right."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from stages.reporting.studies.contrasts import Contrast, contrasts, distinct, in_points, together
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.roles import FINETUNE, NAMES, ONECYCLE, by_role
from stages.reporting.tables import folded, markdown, with_interval
from stages.reporting.words import code, count, decimal, listed
from stages.statistics.verdicts import Verdict

TITLE = "Whether the criterion matters"
SCHEDULES = (FINETUNE, ONECYCLE)
SIZE = ("granularity", "units", "allocation", "rounds")
"""Keys of a pruning method that say how much it prunes and of what."""
WORDS: Mapping[Verdict, str] = {
    "better": "better",
    "same": "the same",
    "worse": "worse",
    "undecided": "open",
}
CHANGES: Mapping[Verdict, str] = {
    "better": "it grows",
    "same": "it stays the same",
    "worse": "it shrinks",
    "undecided": "open",
}
NOTHING = "No study prunes by a criterion and at random, as much of the same, under one-cycle."
Gains = Mapping[str, Sequence[Contrast]]
"""A criterion minus random pruning, under each of SCHEDULES."""


def gains(studies: Sequence[Kept]) -> Gains:
    """Each criterion minus random pruning of as much; the same runs once."""
    return {role: distinct(c for s in studies for c in _gains(s, role)) for role in SCHEDULES}


def summary(found: Gains, confidence: float, margin: float) -> str:
    """Say what the informed criterion gains under each schedule, and what every one does."""
    if not found[ONECYCLE]:
        return NOTHING
    informed = {role: _informed(cases) for role, cases in found.items()}
    parts = []
    if informed[ONECYCLE]:
        names = sorted({code(one.method) for one in informed[ONECYCLE]})
        said = [
            f"{in_points(value)} points under {NAMES[role]} (**{WORDS[value.verdict]}**)"
            for role, cases in informed.items()
            if cases
            for value in [together(cases, confidence, margin)]
        ]
        parts.append(f"{listed(names)} minus random pruning: {listed(said)}.")
    said_of = [one.verdict for one in found[ONECYCLE]]
    counts = [f"{word} in {said_of.count(v)}" for v, word in WORDS.items() if v in said_of]
    cases = count(len(said_of), "case")
    parts.append(f"Under one-cycle a criterion is {listed(counts)} of {cases}.")
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
        "and for each budget; joined as above."
    )
    header = ["Study", "Method", "Schedule", "Kept, %", "Epochs", "n", "Gain, points", "It is"]
    rows = [_row(role, one) for role, cases in found.items() for one in cases]
    table = folded(f"All {len(rows)} gains over random pruning", markdown(header, rows, left=3))
    return "\n\n".join([*parts, how, table])


def _gains(study: Kept, role: str) -> Iterator[Contrast]:
    scores = by_role(study)
    if role not in scores:
        return
    for method, rival in _rivals(study):
        if {method, rival} <= {*scores.index.unique("method")}:
            both = scores[role].unstack("method")[[method, rival]]
            framed = pd.concat({method: both}, names=["method"])
            yield from contrasts(study, framed, method, rival)


def _rivals(study: Kept) -> Iterator[tuple[str, str]]:
    """Yield each method that has a criterion, and the random one that prunes as much."""
    size = {name: [entry.get(key) for key in SIZE] for name, entry in study.methods.items()}
    random = [name for name, entry in study.methods.items() if entry["criterion"] == "random"]
    for name in study.methods:
        if name not in random:
            yield from ((name, rival) for rival in random if size[rival] == size[name])


def _informed(cases: Sequence[Contrast]) -> list[Contrast]:
    """Return those of the method that each study calls the informed one."""
    return [one for one in cases if one.method == one.study.compare.informed]


def _changes(found: Gains) -> list[Contrast]:
    """Return the gain under one-cycle minus that under fine-tuning, where a study has both."""
    before = {(one.study.name, one.method, one.epochs): one for one in found[FINETUNE]}
    pairs = [(one, before.get((one.study.name, one.method, one.epochs))) for one in found[ONECYCLE]]
    return [replace(one, first=one.points, second=other.points) for one, other in pairs if other]


def _row(role: str, one: Contrast) -> list[str]:
    return [
        code(one.study.name),
        code(one.method),
        NAMES[role],
        f"{one.kept:.1f}",
        decimal(one.epochs),
        str(len(one.points)),
        with_interval(one.estimate),
        WORDS[one.verdict],
    ]
