"""Schedules against each other, over all studies in which two of them meet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stages.reporting.studies.contrasts import families
from stages.reporting.studies.kept import Kept
from stages.reporting.tables import markdown
from stages.reporting.words import code, level, listed, signed
from stages.statistics.studies import FEWEST, Aggregate, aggregate, mean_of_studies

TITLE = "Schedules against each other, over all studies"
VERDICTS = {"better": "better", "same": "the same", "worse": "worse", "undecided": "open"}


@dataclass(frozen=True)
class Meeting:
    """Two lines, `first` the higher, in the studies that have both, and what these say together."""

    first: str
    second: str
    studies: int
    runs: int
    found: Aggregate


def meetings(studies: Sequence[Kept], confidence: float, margin: float) -> list[Meeting]:
    """Hold each line against each other that it meets in at least two studies."""
    lines = dict.fromkeys(line for study in studies for line in study.scores.columns)
    found = []
    for pair in combinations(lines, 2):
        known = [study for study in studies if {*pair} <= {*study.scores.columns}]
        both = [study for study in known if len(known) > 1 and len(_scores(study, pair))]
        if len(both) < 2:
            continue
        runs = [_runs(family, pair) for family in families(both)]
        if mean_of_studies([run[:, 0] - run[:, 1] for run in runs]) < 0:
            pair, runs = pair[::-1], [run[:, ::-1] for run in runs]
        ours, theirs = ([run[:, side] for run in runs] for side in (0, 1))
        value = aggregate(ours, theirs, confidence, margin)
        found.append(Meeting(*pair, len(both), sum(map(len, runs)), value))
    return sorted(found, key=lambda each: -each.found.difference)


def text(studies: Sequence[Kept], confidence: float, margin: float) -> str:
    """The pairs that meet in several studies, and what the numbers are."""
    found = meetings(studies, confidence, margin)
    if not found:
        return "No two schedules meet in two studies or more."
    sure = level(confidence)
    header = ["Pair", "Studies", "Runs", f"Difference, points [{sure}]"]
    header += ["Lowest and highest, points"]
    header += [f"Better in a random pair of runs, % [{sure}]", "Verdict"]
    how = (
        "Differences are paired by seed: the interquartile mean over runs (the middle half of all) "
        "of each study, and of these the mean, every study counting the same; beside it the lowest "
        "and the highest of them. A run is a seed: the mean over all methods and budgets of a "
        "study that have both schedules. "
        "Intervals are those of a stratified bootstrap (Agarwal et al. 2021). A schedule is better "
        "if both intervals say so, the same if the difference lies within "
        f"{margin:g} points of 0; else, and with fewer than {FEWEST} runs, the pair is open."
    )
    return "\n\n".join([how, markdown(header, map(_row, found)), *_dependent(studies)])


def _scores(study: Kept, lines: tuple[str, str]) -> pd.DataFrame:
    """Return the scores of lines by seed, over the cells that are complete for all of them."""
    both = study.scores[[*lines]]
    whole = both.notna().all(axis=1).groupby(level=["method", "epochs"]).transform("all")
    return both[whole].groupby(level="seed").mean()


def _runs(family: Sequence[Kept], lines: tuple[str, str]) -> NDArray[np.float64]:
    """Return the scores of lines [seed, line], averaged over the studies of a family."""
    by_study = pd.concat([_scores(study, lines) for study in family])
    return by_study.groupby(level="seed").mean().to_numpy(float)


def _row(meeting: Meeting) -> list[str]:
    found = meeting.found
    low, high = found.interval
    chances = [f"{100 * chance:.0f}" for chance in (found.improvement, *found.improvement_interval)]
    return [
        f"{code(meeting.first)} − {code(meeting.second)}",
        str(meeting.studies),
        str(meeting.runs),
        f"{signed(found.difference)} [{signed(low)}, {signed(high)}]",
        f"{signed(min(each))} to {signed(max(each))}" if len(each := found.by_study) > 1 else "–",
        f"{chances[0]} [{chances[1]}, {chances[2]}]",
        VERDICTS[found.verdict],
    ]


def _dependent(studies: Sequence[Kept]) -> Iterator[str]:
    """Name the studies that count as one."""
    for family in families(studies):
        if len(family) > 1:
            yield (
                f"{listed([code(study.name) for study in family])} train the same dense networks, "
                "seed by seed, so they are averaged by seed and count as one study here: what they "
                "say together is said of one network on one data set."
            )
