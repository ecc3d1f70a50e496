"""How one-cycle's lead changes with the budget, and with the size of the network that is left."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from stages.reporting.studies.contrasts import Contrast, judged
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.roles import NAMES
from stages.reporting.tables import markdown, with_interval
from stages.reporting.words import code, count, decimal, listed
from stages.statistics.estimates import Estimate
from stages.statistics.verdicts import Verdict

WORDS: Mapping[Verdict, str] = {
    "better": "larger",
    "same": "the same",
    "worse": "smaller",
    "undecided": "open",
}
OTHER_SIZE = 1.0
"""Percentage points of the parameters from which on two methods leave networks of other sizes."""
HOW = (
    "What a longer budget and a smaller network change, paired by seed: the lead at the longest "
    "budget minus that at the shortest, and, where methods differ in how much they prune alone, "
    "that where the fewest parameters are kept minus that where the most are, averaged over the "
    "budgets of both."
)


@dataclass(frozen=True)
class Change:
    """What `what`, longer or smaller, does to one-cycle's lead over a rival."""

    study: Kept
    rival: str
    kind: str
    what: str
    value: Estimate
    verdict: Verdict


def changes(rival: str, leads: Sequence[Contrast]) -> list[Change]:
    """Return what the longest budgets and the smallest networks change."""
    return [*_budgets(rival, leads), *_sizes(rival, leads)]


def summary(rival: str, leads: Sequence[Contrast]) -> str:
    """Say what the lead is with a longer budget and in a smaller network; empty for nothing."""
    found = changes(rival, leads)
    parts = []
    for kind in dict.fromkeys(one.kind for one in found):
        said = [one.verdict for one in found if one.kind == kind]
        counts = [f"{word} in {said.count(v)}" for v, word in WORDS.items() if v in said]
        parts.append(f"{kind} {listed(counts)} of {len(said)}")
    return f"Its lead over {NAMES[rival]} is {'; '.join(parts)}." if parts else ""


def table(found: Sequence[Change]) -> str:
    """The changes as a table."""
    header = ["Study", "One-cycle's lead over", "From, to", "Change, points", "It is"]
    return markdown(header, map(_row, found), left=3)


def _budgets(rival: str, leads: Sequence[Contrast]) -> Iterator[Change]:
    """Yield what the longest budget changes, after each method that has several."""
    by_method: dict[tuple[str, str], list[Contrast]] = {}
    for one in sorted(leads, key=lambda each: each.epochs):
        by_method.setdefault((one.study.name, one.method), []).append(one)
    for (_, method), group in by_method.items():
        first, last = group[0], group[-1]
        if first is not last:
            what = f"{code(method)}, {decimal(first.epochs)} → {count(last.epochs, 'epoch')}"
            gap = last.points - first.points
            yield _change(first.study, rival, "with a longer budget", what, gap)


def _sizes(rival: str, leads: Sequence[Contrast]) -> Iterator[Change]:
    """Yield what pruning more changes."""
    by_criterion: dict[tuple[str, str], list[Contrast]] = {}
    for one in sorted(leads, key=lambda each: -each.kept):
        by_criterion.setdefault((one.study.name, _criterion(one)), []).append(one)
    for group in by_criterion.values():
        most, fewest = group[0], group[-1]
        above = {one.epochs: one.points for one in group if one.method == most.method}
        below = {one.epochs: one.points for one in group if one.method == fewest.method}
        gaps = [below[epochs] - above[epochs] for epochs in above.keys() & below.keys()]
        if gaps and most.kept - fewest.kept >= OTHER_SIZE:
            named = f"{code(most.method)} → {code(fewest.method)}"
            what = f"{named}, {most.kept:.1f} → {fewest.kept:.1f} % kept"
            points = pd.concat(gaps, axis=1).mean(axis=1)
            yield _change(most.study, rival, "in a smaller network", what, points)


def _criterion(one: Contrast) -> str:
    """Return the settings of a method but for how much it prunes."""
    entry = one.study.methods[one.method]
    rest = {key: value for key, value in entry.items() if key != "allocation"}
    return json.dumps([rest, entry["allocation"]["kind"]], sort_keys=True)


def _change(study: Kept, rival: str, kind: str, what: str, points: "pd.Series[float]") -> Change:
    return Change(study, rival, kind, what, *judged(study, points))


def _row(one: Change) -> list[str]:
    named = [code(one.study.name), NAMES[one.rival], one.what]
    return [*named, with_interval(one.value), WORDS[one.verdict]]
