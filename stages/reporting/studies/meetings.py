"""Schedules against each other, over all studies in which two of them meet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from stages.reporting.studies.contrasts import (
    between,
    by_family,
    by_set,
    chance,
    distinct,
    families,
    in_points,
    runs,
    together,
)
from stages.reporting.studies.roles import Case
from stages.reporting.studies.words import VERDICTS
from stages.reporting.tables import markdown
from stages.reporting.words import code, level, listed
from stages.statistics.studies import EACH, FEWEST, Aggregate

TITLE = "Schedules against each other, over all studies"


@dataclass(frozen=True)
class Meeting:
    """Two lines, `first` the higher, in the studies that have both, and what these say together."""

    first: str
    second: str
    studies: int
    runs: int
    found: Aggregate


def meetings(cases: Sequence[Case], confidence: float, margin: float) -> list[Meeting]:
    """Hold each line against each other that it meets in at least two studies."""
    by_line = [(case, _schedules(case)) for case in cases]
    lines = dict.fromkeys(line for _, schedules in by_line for line in schedules)
    found = []
    for pair in combinations(lines, 2):
        first, second = pair
        both = [
            one
            for case, schedules in by_line
            if first in schedules and second in schedules
            if (one := between(case, schedules[first], schedules[second]))
        ]
        if len(studies := {one.study.name for one in both}) < 2:
            continue
        value = together(both, confidence, margin)
        if value.difference < 0:
            turned = [replace(one, first=one.second, second=one.first) for one in both]
            pair, value = pair[::-1], together(turned, confidence, margin)
        seeds = sum(len(runs(family)) for family in by_family(distinct(both)))
        found.append(Meeting(*pair, len(studies), seeds, value))
    return sorted(found, key=lambda each: -each.found.difference)


def _schedules(case: Case) -> dict[str, str]:
    """Return the schedule of each line that has one in a case."""
    found: dict[str, str] = {}
    for name in map(str, case.scores):
        found.setdefault(case.study.line_of[name], name)
    return found


def text(cases: Sequence[Case], confidence: float, margin: float) -> str:
    """The pairs that meet in several studies, and what the numbers are."""
    found = meetings(cases, confidence, margin)
    if not found:
        return "No two schedules meet in two studies or more."
    sure = level(confidence)
    header = ["Pair", "Studies", "Runs", f"Difference, points [{sure}]"]
    header += ["Lowest and highest, points"]
    header += [f"Better in a random pair of runs, % [{sure}]", "Verdict"]
    how = (
        "Differences are paired by seed: the interquartile mean over runs (the middle half of all) "
        "of each set of dense networks, and of these the mean, every set counting the same; beside "
        "it the lowest and the highest of them. A run is a seed that all its studies have: the "
        "mean over methods and budgets with both schedules; arms that several studies have count "
        "once. "
        "Intervals are those of a stratified bootstrap (Agarwal et al. 2021). A schedule is better "
        "if both intervals say so, the same if the difference lies within "
        f"{margin:g} points of 0; else, and with fewer than {FEWEST} runs, or {EACH} of a set, "
        "the pair is open."
    )
    return "\n\n".join([how, markdown(header, map(_row, found)), *_dependent(cases)])


def _row(meeting: Meeting) -> list[str]:
    found = meeting.found
    return [
        f"{code(meeting.first)} − {code(meeting.second)}",
        str(meeting.studies),
        str(meeting.runs),
        in_points(found),
        by_set(found),
        chance(found),
        VERDICTS[found.verdict],
    ]


def _dependent(cases: Sequence[Case]) -> Iterator[str]:
    """Name the studies that count as one."""
    studies = {case.study.name: case.study for case in cases}
    for family in families([*studies.values()]):
        if len(family) > 1:
            yield (
                f"{listed([code(study.name) for study in family])} train the same dense networks, "
                "seed by seed, so they are averaged by seed and count as one study here: what they "
                "say together is said of one network on one data set."
            )
