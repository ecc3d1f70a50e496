"""Whether the pruning criterion still matters once the schedule of retraining is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from stages.reporting.studies.case_table import case_table
from stages.reporting.studies.contrasts import (
    Contrast,
    by_set,
    distinct,
    in_points,
    key_of,
    together,
)
from stages.reporting.studies.origins import compact
from stages.reporting.studies.roles import FINETUNE, NAMES, ONECYCLE, Case
from stages.reporting.studies.words import VERDICTS, Words, tally
from stages.reporting.words import code, count, listed

TITLE = "Whether the criterion matters"
RANDOM = "random"
OWN = ("criterion", "iterations")
"""Keys in which methods that prune as much of the same may differ."""
CHANGES: Words = {
    "better": "it grows",
    "same": "it stays the same",
    "worse": "it shrinks",
    "undecided": "open",
}
NOTHING = (
    "No study prunes by a criterion and at random, as much of the same, with a one-cycle of which "
    "all replicates finished."
)


@dataclass(frozen=True)
class Pair:
    """A case of a criterion, and the same of random pruning of as much."""

    case: Case
    random: Case

    def gain(self, role: str) -> Contrast | None:
        """The criterion minus random pruning under the schedule in a role."""
        return self.between(role, role)

    def between(self, ours: str, theirs: str) -> Contrast | None:
        """The criterion under one schedule minus random pruning under another; None without."""
        roles = self.case.roles
        if not {ours, theirs} <= {*roles} or roles[theirs] not in self.random.scores:
            return None
        first = self.case.scores[roles[ours]]
        second = self.random.scores[roles[theirs]]
        if pd.concat([first, second]).isna().any():
            return None
        forms = [self.case.study.schedule_forms[roles[role]] for role in (ours, theirs)]
        other = self.case.study.method_forms[self.random.method]
        return Contrast(self.case, first, second, compact([key_of(self.case, *forms), other]))


@dataclass(frozen=True)
class Gains:
    """Every criterion against random pruning of as much, in every study and for every budget."""

    pairs: Sequence[Pair]

    @cached_property
    def informed(self) -> Sequence[Pair]:
        """Those of the method that each study calls the informed one."""
        return [p for p in self.pairs if p.case.method == p.case.study.compare.informed]

    def under(self, role: str) -> list[Contrast]:
        """The gains under the schedule in a role."""
        return [one for pair in self.pairs if (one := pair.gain(role))]

    def changes(self) -> list[Contrast]:
        """What the informed criterion gains under one-cycle minus what under fine-tuning."""
        both = [(pair.gain(ONECYCLE), pair.gain(FINETUNE)) for pair in self.informed]
        return [
            Contrast(after.case, after.points, before.points, compact([after.key, before.key]))
            for after, before in both
            if after and before
        ]


def gains(cases: Sequence[Case]) -> Gains:
    """Pair each criterion with random pruning of as much, in the same study and for one budget."""
    by_budget: dict[tuple[str, float], list[Case]] = {}
    for case in cases:
        by_budget.setdefault((case.study.name, case.epochs), []).append(case)
    return Gains(
        [
            Pair(case, other)
            for alike in by_budget.values()
            for case in alike
            for other in alike
            if _prune_alike(case, other)
        ]
    )


def summary(found: Gains, confidence: float, margin: float) -> str:
    """Say what the informed criterion gains under each schedule, crossed, and what every one."""
    if not found.under(ONECYCLE):
        return NOTHING
    parts = []
    if found.informed:
        names = listed(sorted({code(pair.case.method) for pair in found.informed}))
        asked = {
            f"under {NAMES[FINETUNE]}": (FINETUNE, FINETUNE),
            f"under {NAMES[ONECYCLE]}": (ONECYCLE, ONECYCLE),
            f"with {NAMES[FINETUNE]} against random with {NAMES[ONECYCLE]}": (FINETUNE, ONECYCLE),
        }
        said = [
            f"{in_points(value)} {words} (**{VERDICTS[value.verdict]}**; {by_set(value)} by set)"
            for words, roles in asked.items()
            if (cases := [one for p in found.informed if (one := p.between(*roles))])
            for value in [together(cases, confidence, margin)]
        ]
        parts.append(f"{names} minus random pruning, in points: {listed(said)}.")
    verdicts = [one.verdict for one in distinct(found.under(ONECYCLE))]
    cases_of = count(len(verdicts), "case")
    parts.append(f"All criteria under one-cycle, {cases_of}: {tally(verdicts, VERDICTS)}.")
    return " ".join(parts)


def text(found: Gains, confidence: float, margin: float) -> str:
    """The same, and every criterion of every study."""
    if not found.under(ONECYCLE):
        return NOTHING
    parts = [summary(found, confidence, margin)]
    if moved := found.changes():
        change = together(moved, confidence, margin)
        word = CHANGES[change.verdict]
        parts.append(
            f"From fine-tuning to one-cycle the gain changes by {in_points(change)} points: {word}."
        )
    how = (
        "A criterion minus random pruning of as much of the same, paired by seed, in each study "
        "and for each budget."
    )
    header = "Schedule", "Gain, points", "It is"
    by_role = {role: found.under(role) for role in (FINETUNE, ONECYCLE)}
    table = case_table("gains over random pruning", header, by_role, VERDICTS)
    return "\n\n".join([*parts, how, table])


def _prune_alike(case: Case, other: Case) -> bool:
    """Whether a case has a criterion and the other prunes as much of the same at random."""
    ours, theirs = (each.study.method_forms[each.method] for each in (case, other))
    shared = (ours.keys() & theirs.keys()) - {*OWN}
    kinds = ours["criterion"] != RANDOM, theirs["criterion"] == RANDOM
    return all(kinds) and all(ours[key] == theirs[key] for key in shared)
