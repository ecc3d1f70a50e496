"""One-cycle's lead in every study, after every method, for every budget: where it reverses."""

from collections.abc import Mapping, Sequence
from itertools import chain

from stages.reporting.studies import changes
from stages.reporting.studies.contrasts import Contrast, contrasts, distinct
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.roles import FINETUNE, NAMES, ONECYCLE, TUNED, by_role
from stages.reporting.tables import folded, markdown, with_interval
from stages.reporting.words import code, count, decimal, listed
from stages.statistics.verdicts import Verdict

TITLE = "Where the order reverses"
CONSTANT = (FINETUNE, TUNED)
"""The rivals of a small rate: the order of which the literature says that it can reverse."""
WORDS: Mapping[Verdict, str] = {
    "better": "ahead",
    "same": "the same",
    "worse": "behind",
    "undecided": "open",
}
NOTHING = "No study has one-cycle and a constant rate of equal epochs."
HOW = (
    "A case is a study, a pruning method and a budget; the same runs in several studies are one. "
    "Ahead, the same, behind and open are as each study judges it; the order reverses where "
    "one-cycle is behind although all cases of a rival are judged together (Bonferroni)."
)
Leads = Mapping[str, Sequence[Contrast]]
"""One-cycle minus each rival that it meets."""


def leads(studies: Sequence[Kept]) -> Leads:
    """One-cycle minus each rival, for every method and budget; the same runs once."""
    scores = [(study, by_role(study)) for study in studies]
    found = {
        rival: distinct(
            c for study, table in scores for c in contrasts(study, table, ONECYCLE, rival)
        )
        for rival in NAMES
        if rival != ONECYCLE
    }
    return {rival: cases for rival, cases in found.items() if cases}


def constant(found: Leads) -> Leads:
    """Return the leads over constant rates."""
    return {rival: cases for rival, cases in found.items() if rival in CONSTANT}


def summary(found: Leads) -> str:
    """Say where one-cycle is shown to be behind a constant rate, and how often it is ahead."""
    found = constant(found)
    if not found:
        return NOTHING
    standing = listed([_standing(rival, cases) for rival, cases in found.items()])
    moved = [said for rival, cases in found.items() if (said := changes.summary(rival, cases))]
    return " ".join([_reversal(found), f"One-cycle is ahead of {standing}.", *moved])


def text(found: Leads) -> str:
    """The same, what a longer budget and a smaller network change, and every lead."""
    found = constant(found)
    if not found:
        return NOTHING
    parts = [summary(found), HOW]
    if changed := [one for rival, cases in found.items() for one in changes.changes(rival, cases)]:
        parts += [changes.HOW, changes.table(changed)]
    header = ["Study", "Method", "Rival", "Kept, %", "Epochs", "Of the dense run's, %", "n"]
    header += ["Lead, points", "One-cycle is"]
    rows = [_row(rival, one) for rival, cases in found.items() for one in cases]
    parts.append(folded(f"All {len(rows)} leads of one-cycle", markdown(header, rows, left=3)))
    return "\n\n".join(parts)


def _reversal(found: Leads) -> str:
    """Say where one-cycle is behind, all cases of a rival judged together, and where none was."""
    cases = [*chain(*found.values())]
    kept, budgets = [one.kept for one in cases], [one.budget for one in cases]
    tried = (
        f"where {min(kept):.0f} to {max(kept):.0f} % of the parameters are kept and retrained for "
        f"{min(budgets):.0f} to {max(budgets):.0f} % of the dense run's epochs"
    )
    behind = [
        f"{NAMES[rival]} is ahead in {listed([_place(one) for one in lost])}"
        for rival, each in found.items()
        if (lost := [one for one in each if one.verdict_among(len(each)) == "worse"])
    ]
    if behind:
        return f"**It does**, {tried}: {'; '.join(behind)}."
    return f"**Nowhere that is shown**, {tried}."


def _standing(rival: str, cases: Sequence[Contrast]) -> str:
    """Say how often one-cycle is ahead of a rival."""
    said = [one.verdict for one in cases]
    others = [f"{said.count(v)} {word}" for v, word in WORDS.items() if v in said and v != "better"]
    rest = f" ({', '.join(others)})" if others else ""
    return f"{NAMES[rival]} in {said.count('better')} of {count(len(cases), 'case')}{rest}"


def _place(one: Contrast) -> str:
    return f"{code(one.study.name)} ({code(one.method)}, {count(one.epochs, 'epoch')})"


def _row(rival: str, one: Contrast) -> list[str]:
    return [
        code(one.study.name),
        code(one.method),
        NAMES[rival],
        f"{one.kept:.1f}",
        decimal(one.epochs),
        f"{one.budget:.0f}",
        str(len(one.points)),
        with_interval(one.estimate),
        WORDS[one.verdict],
    ]
