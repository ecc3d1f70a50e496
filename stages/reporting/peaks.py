"""Arms that differ in the peak of one curve, held against each other by size and budget."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from stages.reporting.measures import kept_by, last_test
from stages.reporting.report import Report
from stages.results.records import ArmResult
from stages.statistics.contests import best_set
from stages.statistics.peaks import FEWEST, BestPeak, Cell, Law, best_peak, peak_law

KEYS = ("max_lr", "lr", "share", "peak")
"""The options and the key that set the peak, as a rate or as a share of one."""
AMOUNTS = ("ratio", "sparsity", "parameters", "macs")
"""The options of an allocation that say how much is pruned."""
ONE_PEAK = 0.01
"""Peaks no further apart are one, of the first arm: recorded steps may just miss a curve's top."""
MOST_ALIKE = 1.19
"""The ratio, a quarter of an octave, up to which two sizes or budgets are one."""


@dataclass(frozen=True)
class PeakCell:
    """One method at one budget: its arms by peak, those that diverged left out of `arms`.

    Peaks are learning rates; those of `cell` and `best` are shares of the dense run's largest.
    `unbeaten` are the peaks that no other is shown to beat.
    """

    method: str
    epochs: float
    arms: Mapping[float, ArmResult]
    diverged: Sequence[float]
    cell: Cell
    best: BestPeak
    unbeaten: Sequence[float]

    @property
    def highest(self) -> float:
        """The learning rate of the peak with the highest mean."""
        return max(self.arms, key=lambda peak: float(last_test(self.arms[peak]).mean()))


@dataclass(frozen=True)
class PeakStudy:
    """Schedules that differ in their peaks and budgets alone, and the law over their cells.

    Their methods differ in how much they prune alone.
    """

    name: str
    cells: Sequence[PeakCell]
    law: Law | None


def peak_studies(report: Report) -> list[PeakStudy]:
    """Return a study for every curve with FEWEST peaks or more at several sizes or budgets."""
    if report.dense_peak is None:
        return []
    curves = _alike({n: _without(e, "epochs", *KEYS) for n, e in report.schedules.items()})
    sizes = _alike({method: _pruning(report, method) for method in report.results.methods})
    studies = []
    for names, methods in product(curves, sizes):
        cells = [cell for method in methods for cell in _cells(report, method, names)]
        if _several([c.cell.kept for c in cells]) or _several([c.cell.budget for c in cells]):
            law = peak_law([cell.cell for cell in cells], report.settings.confidence)
            after = f" after {methods[0]}" * (len(sizes) > 1)
            studies.append(PeakStudy(f"{_name(report, names)}{after}", cells, law))
    return studies


def peaks_around(report: Report, arm: ArmResult) -> PeakCell | None:
    """Return the cell that an arm is one of the peaks of; None where no study covers it."""
    cells = (cell for study in peak_studies(report) for cell in study.cells)
    return next((cell for cell in cells if arm in cell.arms.values()), None)


def in_words(best: BestPeak, rate: float = 1.0) -> str:
    """Return a best peak and its band times a rate, with ≤ and ≥ where it may lie beyond.

    With < before a peak that diverged.
    """
    value, low, high = (f"{rate * end:.2g}" for end in (best.value, best.low, best.high))
    said = f"{'≤ ' * best.at_smallest}{'≥ ' * best.at_largest}{value}"
    if math.isnan(best.low):
        return said
    above = f"{'≥ ' * best.high_open}{'< ' * best.high_capped}{high}"
    return f"{said} [{'≤ ' * best.low_open}{low}, {above}]"


def _alike(entries: Mapping[str, Any]) -> list[list[str]]:
    """Return the names of equal entries together."""
    groups: dict[str, list[str]] = {}
    for name, entry in entries.items():
        groups.setdefault(json.dumps(entry, sort_keys=True), []).append(name)
    return list(groups.values())


def _pruning(report: Report, method: str) -> Any:
    """Return what a method is, however much it prunes; its name where its entry is not known."""
    entry = report.pruning.get(method)
    if not entry:
        return method
    return {**entry, "allocation": _without(entry["allocation"], *AMOUNTS)}


def _without(entry: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in keys}


def _cells(report: Report, method: str, names: Sequence[str]) -> list[PeakCell]:
    """Return a method's cells, the shortest budget first."""
    arms = [report.results.arms[method, name] for name in names]
    budgets = sorted({arm.epochs for arm in arms if not _adaptive(arm)})
    cells = (_cell(report, [arm for arm in arms if arm.epochs == epochs]) for epochs in budgets)
    return [cell for cell in cells if cell]


def _cell(report: Report, arms: Sequence[ArmResult]) -> PeakCell | None:
    """Hold the arms of one method and budget against each other; None below FEWEST peaks."""
    assert report.dense_peak is not None
    by_peak: dict[float, ArmResult] = {}
    for arm in arms:
        peak = _peak(report.schedules[arm.schedule], arm)
        if not any(math.isclose(peak, other, rel_tol=ONE_PEAK) for other in by_peak):
            by_peak[peak] = arm
    trained = {peak: by_peak[peak] for peak in sorted(by_peak) if not by_peak[peak].diverged}
    if len(trained) < FEWEST:
        return None
    scores = pd.DataFrame({peak: last_test(arm) for peak, arm in trained.items()})
    diverged = sorted(by_peak.keys() - trained.keys())
    arm, confidence = arms[0], report.settings.confidence
    cell = Cell(
        np.array(list(trained)) / report.dense_peak,
        scores.to_numpy().T,
        kept_by(report.results, arm.method) / 100,
        arm.rounds * arm.epochs / report.results.dense.epochs,
        cap=min((p for p in diverged if p > max(trained)), default=math.inf) / report.dense_peak,
    )
    unbeaten = best_set({str(peak): scores[peak] for peak in trained}, confidence)
    return PeakCell(
        arm.method,
        arm.epochs,
        trained,
        diverged,
        cell,
        best_peak(cell, confidence),
        sorted(map(float, unbeaten)),
    )


def _peak(entry: Mapping[str, Any], arm: ArmResult) -> float:
    """Return the largest learning rate of an arm: that of its entry, or of its recorded steps."""
    named = next((entry[key] for key in KEYS[:2] if key in entry), None)
    return max(arm.points.lr) if named is None or isinstance(named, str) else float(named)


def _adaptive(arm: ArmResult) -> bool:
    """Whether an arm's rates differ between replicates, so that it has no one peak."""
    scales = [run.lr_scale for run in arm.replicates] + [run.lr_scale for run in arm.diverged]
    return any(scale != 1 for scale in scales)


def _several(values: Sequence[float]) -> bool:
    return bool(values) and max(values) >= MOST_ALIKE * min(values)


def _name(report: Report, names: Sequence[str]) -> str:
    """Return the name of the curve, and of the first arm where it changes more besides."""
    curve = str(report.schedules[names[0]]["curve"])
    return curve if report.is_plain(names[0]) else f"{curve} of {names[0]}"
