"""Whether the statistics in a kept study's tables are those of its replicates."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from scipy.special import stdtrit

from stages.reporting.lines import lines_of
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.schema import SCORES, Row
from stages.statistics.contests import Contest, contest
from stages.statistics.estimates import Estimate, estimate, paired
from stages.statistics.verdicts import Levels, Verdict, verdict

HALF = 0.0005
"""How far a number of three decimals may be from the one that it was."""
Expected = Mapping[str, tuple[float, float]]
"""What columns should hold, and how far they may be from it."""


@dataclass(frozen=True)
class Recomputed:
    """The statistics of a study, computed from its replicates alone."""

    study: Kept

    @cached_property
    def levels(self) -> Levels:
        """How often a verdict may be wrong."""
        return self.study.levels

    @property
    def confidence(self) -> float:
        """The level of the intervals."""
        return 1 - self.levels.difference

    @cached_property
    def runs(self) -> Mapping[tuple[str, str], pd.DataFrame]:
        """The replicates of each arm, by seed."""
        by_arm = self.study.tables["replicates"].groupby(["method", "schedule"], sort=False)
        return {(str(m), str(s)): rows.set_index("seed") for (m, s), rows in by_arm}

    @cached_property
    def epochs(self) -> Mapping[tuple[str, str], float]:
        """The budget of each arm."""
        return {arm: float(rows.epochs.iloc[0]) for arm, rows in self.runs.items()}

    def values(self, method: str, schedule: str, name: str = SCORES[0]) -> "pd.Series[float]":
        """Return a measure of an arm by seed."""
        return self.runs[method, schedule][name].rename(f"{method}-{schedule}")

    def baseline(self, method: str, schedule: str) -> str:
        """What an arm is compared with, by the rule of `Report.baseline_of`."""
        baseline = self.study.compare.baseline
        lines = lines_of(self.study.schedules).values()
        names = next(names for names in lines if baseline in names)
        epochs = self.epochs[method, schedule]
        return next((n for n in names if self.epochs[method, n] == epochs), baseline)

    def to_baseline(self, method: str, schedule: str) -> Estimate | None:
        """An arm minus its baseline; None for the baseline."""
        rival = self.baseline(method, schedule)
        ours, theirs = self.values(method, schedule), self.values(method, rival)
        return None if rival == schedule else paired(ours, theirs, self.confidence)

    def to_dense(self, method: str, schedule: str) -> Estimate:
        """An arm minus the dense network."""
        dense = self.values(method, schedule, "dense_test_top1_percent")
        return paired(self.values(method, schedule), dense, self.confidence)

    def arm(self, method: str, schedule: str) -> Expected:
        """What the columns of arms.csv should hold."""
        found: dict[str, tuple[float, float]] = {}
        for name in SCORES:
            value = estimate(self.values(method, schedule, name), 0.95)
            found[f"{name}_mean"] = (value.mean, 2 * HALF)
            found[f"{name}_sd"] = (value.sd, self.slack(value.n, HALF)[1])
        loss = self.values(method, schedule, "test_loss").mean(skipna=False)
        found["test_loss_mean"] = (float(loss), 2 * HALF)
        found |= self.interval("difference_to_dense_points", self.to_dense(method, schedule))
        to_baseline = self.to_baseline(method, schedule)
        nothing = Estimate(math.nan, math.nan, 0, math.nan, math.nan)
        return found | self.interval("difference_to_baseline_points", to_baseline or nothing)

    def interval(self, name: str, value: Estimate) -> dict[str, tuple[float, float]]:
        """What the columns of a paired difference and its interval should hold."""
        mean, _, end = self.slack(value.n, 2 * HALF)
        found = {f"{name}_mean": (value.mean, mean)}
        return found | {f"{name}_low": (value.low, end), f"{name}_high": (value.high, end)}

    def slack(self, n: int, error: float) -> tuple[float, float, float]:
        """How far mean, sd and an end of the interval of n values that are off by `error` may be.

        The sd moves by no more than error * sqrt(n / (n - 1)), and HALF is the cell's own.
        """
        if n < 2:
            return error + HALF, HALF, HALF
        spread = error * math.sqrt(n / (n - 1))
        half = float(stdtrit(n - 1, (1 + self.confidence) / 2)) * spread / math.sqrt(n)
        return error + HALF, spread + HALF, error + half + HALF

    def verdicts(self, value: Estimate) -> set[Verdict]:
        """The verdicts that a difference may have got before its values were rounded."""
        mean, sd, _ = self.slack(value.n, 2 * HALF)
        margin = self.study.compare.margin
        moved = [(m, s) for m in (-mean, 0, mean) for s in (-sd, 0, sd)]
        values = [
            Estimate(value.mean + m, max(value.sd + s, 0), value.n, value.low, value.high)
            for m, s in moved
        ]
        return {verdict(each, margin, self.levels) for each in [value, *values]}

    def contest(self, method: str, epochs: float) -> Contest | None:
        """The contest of one method and budget; None where no arm of it finished."""
        arms = [arm for arm, budget in self.epochs.items() if (arm[0], budget) == (method, epochs)]
        values = {schedule: self.values(method, schedule) for _, schedule in arms}
        scores = {name: found for name, found in values.items() if found.notna().all()}
        return contest(scores, self.confidence, [[*scores]]) if scores else None


def arm_faults(path: Path, rows: Sequence[Row], ours: Recomputed) -> Iterator[str]:
    """Yield a line for every statistic of arms.csv that the replicates do not give."""
    for row in rows:
        arm = (row.cells["method"], row.cells["schedule"])
        group = ours.runs[arm]
        diverged = float(group.diverged_in_epoch.notna().sum())
        counts = {"epochs": ours.epochs[arm], "replicates": len(group), "diverged": diverged}
        exact = {name: (count, 0.0) for name, count in counts.items()}
        yield from _told(path, row, {**exact, **ours.arm(*arm)})


def paired_faults(path: Path, rows: Sequence[Row], ours: Recomputed) -> Iterator[str]:
    """Yield a line for what paired.csv says of a difference and the replicates do not give."""
    for row in rows:
        arm, where = (row.cells["method"], row.cells["schedule"]), f"{path}: line {row.line}"
        value, baseline = ours.to_baseline(*arm), ours.baseline(*arm)
        if value is None or row.cells["baseline"] != baseline:
            yield f"{where}: baseline is {row.cells['baseline']}; params.yaml makes it {baseline}"
            continue
        expected = ours.interval("difference_points", value)
        expected["difference_points_sd"] = (value.sd, ours.slack(value.n, 2 * HALF)[1])
        expected["replicates"] = (float(value.n), 0)
        expected["confidence_percent"] = (100 * ours.confidence, HALF)
        yield from _told(path, row, expected)
        if row.cells["verdict"] not in (allowed := ours.verdicts(value)):
            told = f"{row.cells['verdict']}; the replicates give {' or '.join(sorted(allowed))}"
            yield f"{where}: verdict is {told}"


def winner_faults(path: Path, rows: Sequence[Row], ours: Recomputed) -> Iterator[str]:
    """Yield a line for every winner of winners.csv that the replicates do not give."""
    for row in rows:
        found = ours.contest(row.cells["method"], float(row.cells["epochs"]))
        if found is None:
            yield f"{path}: line {row.line}: no arm of this method and budget finished"
            continue
        margins = found.margins.values()
        slack = ours.slack(min((m.n for m in margins), default=0), 2 * HALF)
        close = any(abs(m.low) <= slack[2] for m in margins if m.has_interval)
        tie = any(abs(m.mean) <= slack[0] for m in margins)
        expected = {"highest_mean": found.best, "winner": found.winner or "none"}
        for name, value in expected.items():
            sure = not tie and not (close and name == "winner")
            if sure and row.cells[name] != value:
                told = f"{name} is {row.cells[name]}; the replicates give {value}"
                yield f"{path}: line {row.line}: {told}"


def _told(path: Path, row: Row, expected: Expected) -> Iterator[str]:
    for name, (value, slack) in expected.items():
        text = row.cells[name]
        found = float(text) if text else math.nan
        same = math.isnan(found) and math.isnan(value)
        if not same and not abs(found - value) <= slack + 1e-9:
            given = "nothing" if math.isnan(value) else f"{value:.3f}".removesuffix(".000")
            told = f"{name} is {text or 'empty'}; the replicates give {given}"
            yield f"{path}: line {row.line}: {told}"
