"""One-cycle's lead in every study, after every method, for every budget: where it reverses."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from stages.reporting.studies import changes
from stages.reporting.studies.case_table import case_table
from stages.reporting.studies.contrasts import (
    Contrast,
    between_roles,
    by_set,
    chance,
    distinct,
    in_points,
    key_of,
    together,
)
from stages.reporting.studies.roles import FINETUNE, NAMES, ONECYCLE, TUNED, Case
from stages.reporting.studies.words import OUTCOMES, tally
from stages.reporting.tables import markdown
from stages.reporting.words import code, count, level, listed, span
from stages.statistics.estimates import NO_SPREAD

TITLE = "Where the order reverses"
CONSTANT = (FINETUNE, TUNED)
"""The rivals at a constant rate, over which the literature says that the order can reverse."""
NOTHING = "No study has one-cycle and a constant rate of equal epochs."
HOW = (
    "A case is a study, a pruning method and a budget; the same arms of several studies are one "
    "case. Each is judged by itself, as its study judges; the order reverses where one-cycle is "
    "behind although all are judged together (Bonferroni); intervals are those of each by itself."
)


@dataclass(frozen=True)
class Leads:
    """One-cycle minus each rival that it meets, in all studies.

    `diverged` are the cases where it did and fine-tuning did not; `left_out` is the number of those
    in which one of them did, which have no lead.
    """

    by_rival: Mapping[str, Sequence[Contrast]]
    diverged: Sequence[Case]
    left_out: int

    @property
    def constant(self) -> dict[str, list[Contrast]]:
        """The leads over constant rates, the same arms once."""
        return {r: distinct(found) for r, found in self.by_rival.items() if r in CONSTANT}


def leads(cases: Sequence[Case]) -> Leads:
    """Hold one-cycle against each rival, for every method and budget."""
    found: dict[str, list[Contrast]] = {}
    for case in cases:
        for rival in (role for role in NAMES if role != ONECYCLE):
            one = between_roles(case, ONECYCLE, rival)
            if one is not None:
                found.setdefault(rival, []).append(one)
    pair = (ONECYCLE, FINETUNE)
    gone = {
        key_of(case, *(case.study.schedule_forms[case.roles[role]] for role in pair)): case
        for case in cases
        if {*pair} <= {*case.roles} and any(map(case.diverged, pair))
    }
    alone = [case for case in gone.values() if not case.diverged(FINETUNE)]
    return Leads({rival: found[rival] for rival in NAMES if rival in found}, alone, len(gone))


def summary(found: Leads) -> str:
    """Say where one-cycle is shown to be behind a constant rate, and how often it is ahead."""
    cases = found.constant
    if not cases and not found.diverged:
        return NOTHING
    said = [_reversal(found)]
    if cases:
        standing = listed([_standing(rival, each) for rival, each in cases.items()])
        said.append(f"Judged one by one, one-cycle is ahead of {standing}.")
    moved = [changes.summary(r, each) for r, each in found.by_rival.items() if r in CONSTANT]
    return " ".join([*said, *filter(None, moved)])


def text(found: Leads, confidence: float, margin: float) -> str:
    """The same, what a longer budget and a smaller network change, and every lead."""
    cases = found.constant
    if not cases:
        return summary(found)
    parts = [summary(found), HOW, _joint(found, confidence, margin)]
    if changed := [one for r in cases for one in changes.changes(r, found.by_rival[r])]:
        parts += [changes.HOW, changes.table(changed)]
    header = "Rival", "Lead, points", "One-cycle is"
    parts.append(case_table("leads of one-cycle", header, cases, OUTCOMES))
    return "\n\n".join(parts)


def _reversal(found: Leads) -> str:
    """Say where one-cycle is behind, all cases judged together or each alone, or diverged."""
    every = [*chain(*found.constant.values())]
    behind = [
        (_behind(rival, one), one.verdict_among(len(every)))
        for rival, each in found.constant.items()
        for one in each
        if one.verdict == "worse"
    ]
    surely = [where for where, joint in behind if joint == "worse"]
    alone = [where for where, joint in behind if joint != "worse"]
    said = []
    if surely:
        said.append(f"**It does**: one-cycle is behind {listed(surely)}.")
    elif alone:
        said.append("**Not settled.**")
    elif all(one.verdict == "undecided" for one in every):
        said.append("**Open.**")
    else:
        said.append("**No reversal is shown.**")
    if alone:
        each = "each judged" if len(alone) > 1 else "judged"
        said.append(
            f"One-cycle is behind {listed(alone)}, {each} by itself, but not if all "
            f"{len(every)} comparisons are judged together."
        )
    if found.diverged:
        gone = listed([_place(case) for case in found.diverged])
        said.append(f"One-cycle **diverged**, and fine-tuning did not, in {gone}.")
    if found.left_out:
        cases = count(found.left_out, "case")
        said.append(f"Left out: {cases} in which a replicate of either diverged.")
    return " ".join(said)


def _standing(rival: str, cases: Sequence[Contrast]) -> str:
    """Say how often one-cycle is ahead of a rival, and over which sizes and budgets."""
    said = [one.verdict for one in cases]
    others = tally([v for v in said if v != "better"], OUTCOMES)
    kept, budgets = [one.kept for one in cases], [one.budget for one in cases]
    tried = f"{span(kept, '.0f')} % of the parameters, {span(budgets, '.0f')} % of the dense epochs"
    rest = "; ".join(filter(None, [others, tried]))
    return f"{NAMES[rival]} in {said.count('better')} of {count(len(cases), 'case')} ({rest})"


def _behind(rival: str, one: Contrast) -> str:
    """Say what one-cycle is behind, where, and by how much."""
    rates = one.case.other_rates
    named = f"a constant {rates[one.case.roles[TUNED]]:g}" if rival == TUNED else NAMES[rival]
    gap = one.estimate
    ends = f" [{-gap.high:.2f}, {-gap.low:.2f}]" if gap.sd > NO_SPREAD else ""
    return (
        f"{named} in {_place(one.case, f'{one.kept:.0f} % kept')} by {-gap.mean:.2f}{ends} points"
    )


def _place(case: Case, *more: str) -> str:
    which = ", ".join([code(case.method), *more, count(case.epochs, "epoch")])
    return f"{code(case.study.name)} ({which})"


def _joint(found: Leads, confidence: float, margin: float) -> str:
    """The leads over every rival, all sets of dense networks together."""
    sure = level(confidence)
    header = ["Rival", "Sets", f"Lead, points [{sure}]", "Lowest and highest set"]
    header += [f"Ahead in a random pair of runs, % [{sure}]", "One-cycle is"]
    rows = [[*_joined(r, each, confidence, margin)] for r, each in found.by_rival.items()]
    return markdown(header, rows)


def _joined(
    rival: str, each: Sequence[Contrast], confidence: float, margin: float
) -> Iterator[str]:
    value = together(each, confidence, margin)
    yield NAMES[rival]
    yield str(len(value.by_study))
    yield in_points(value)
    yield by_set(value)
    yield chance(value)
    yield OUTCOMES[value.verdict]
