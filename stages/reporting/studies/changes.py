"""How one-cycle's lead changes with the budget, and with the size of the network that is left."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from stages.reporting.studies.contrasts import Contrast, judged
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.origins import compact
from stages.reporting.studies.roles import NAMES
from stages.reporting.studies.words import Words, tally
from stages.reporting.tables import markdown, with_interval
from stages.reporting.words import code, count, decimal
from stages.statistics.estimates import Estimate
from stages.statistics.verdicts import Verdict

WORDS: Words = {
    "better": "larger",
    "same": "the same",
    "worse": "smaller",
    "undecided": "open",
}
LONGER, SMALLER = "with a longer budget", "in a smaller network"
OTHER_SIZE = 1.0
"""Percentage points of the parameters from which on two methods leave networks of other sizes."""
HOW = (
    "What a longer budget and a smaller network change, paired by seed: the lead at the longest "
    "budget minus that at the shortest, and, where methods differ in how much they prune alone, "
    "that where the fewest parameters are kept minus that where the most are, averaged over the "
    "budgets of both. The best other constant rate is the best of each budget and size."
)


@dataclass(frozen=True)
class Change:
    """What `what`, longer or smaller, does to one-cycle's lead over a rival; `n` is of seeds."""

    study: Kept
    rival: str
    kind: str
    what: str
    key: str
    n: int
    value: Estimate
    verdict: Verdict


def changes(rival: str, leads: Sequence[Contrast]) -> list[Change]:
    """Return what the longest budgets and the smallest networks change, the same arms once."""
    found: dict[str, Change] = {}
    for one in sorted([*_budgets(rival, leads), *_sizes(rival, leads)], key=lambda each: -each.n):
        found.setdefault(one.key, one)
    return sorted(found.values(), key=lambda one: (one.kind != LONGER, one.study.name))


def summary(rival: str, leads: Sequence[Contrast]) -> str:
    """Say what the lead is with a longer budget and in a smaller network; empty for nothing."""
    found = changes(rival, leads)
    parts = []
    for kind in dict.fromkeys(one.kind for one in found):
        said = [one.verdict for one in found if one.kind == kind]
        parts.append(f"{kind}, {tally(said, WORDS)}")
    return f"Its lead over {NAMES[rival]} is, {'; '.join(parts)}." if parts else ""


def table(found: Sequence[Change]) -> str:
    """The changes as a table."""
    header = ["Study", "One-cycle's lead over", "From, to", "n", "Change, points", "It is"]
    return markdown(header, map(_row, found), left=3)


def _budgets(rival: str, leads: Sequence[Contrast]) -> Iterator[Change]:
    """Yield what the longest budget changes, after each method that has several."""
    by_method: dict[tuple[str, str], list[Contrast]] = {}
    for one in sorted(leads, key=lambda each: each.case.epochs):
        by_method.setdefault((one.study.name, one.case.method), []).append(one)
    for (_, method), group in by_method.items():
        first, last = group[0], group[-1]
        if first is not last:
            epochs = f"{decimal(first.case.epochs)} → {count(last.case.epochs, 'epoch')}"
            gap = last.points - first.points
            yield _change(rival, LONGER, f"{code(method)}, {epochs}", [first, last], gap)


def _sizes(rival: str, leads: Sequence[Contrast]) -> Iterator[Change]:
    """Yield what pruning more changes."""
    by_criterion: dict[tuple[str, str], list[Contrast]] = {}
    for one in sorted(leads, key=lambda each: -each.kept):
        by_criterion.setdefault((one.study.name, _criterion(one)), []).append(one)
    for group in by_criterion.values():
        most, fewest = group[0], group[-1]
        above = {one.case.epochs: one for one in group if one.case.method == most.case.method}
        below = {one.case.epochs: one for one in group if one.case.method == fewest.case.method}
        both = sorted(above.keys() & below.keys())
        if both and most.kept - fewest.kept >= OTHER_SIZE:
            named = f"{code(most.case.method)} → {code(fewest.case.method)}"
            what = f"{named}, {most.kept:.1f} → {fewest.kept:.1f} % kept"
            gaps = [below[epochs].points - above[epochs].points for epochs in both]
            points = pd.concat(gaps, axis=1).mean(axis=1)
            arms = [side[epochs] for epochs in both for side in (above, below)]
            yield _change(rival, SMALLER, what, arms, points)


def _criterion(one: Contrast) -> str:
    """Return the settings of a method but for how much it prunes."""
    form = one.study.method_forms[one.case.method]
    rest = {key: value for key, value in form.items() if key != "allocation"}
    return compact([rest, form["allocation"]["kind"]])


def _change(
    rival: str, kind: str, what: str, arms: Sequence[Contrast], points: "pd.Series[float]"
) -> Change:
    study = arms[0].study
    key = compact([kind, *(one.key for one in arms)])
    return Change(study, rival, kind, what, key, len(points), *judged(study, points))


def _row(one: Change) -> list[str]:
    named = [code(one.study.name), NAMES[one.rival], one.what, str(one.n)]
    return [*named, with_interval(one.value), WORDS[one.verdict]]
