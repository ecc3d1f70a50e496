"""The best peak of a learning-rate curve by size and budget, and the law that it follows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.figure import Figure

from stages.reporting.peaks import PeakCell, PeakStudy, in_words, peak_studies
from stages.reporting.peaks_figure import LOWEST, peaks_figure
from stages.reporting.report import Report, Section
from stages.reporting.tables import accuracy, markdown
from stages.reporting.words import code, count, decimal, level, listed
from stages.statistics.peaks import LEAST, BestPeak, Direction, Law, Slope

SAID: dict[Direction, str] = {
    "rises": "rises",
    "falls": "falls",
    "same": "stays where it is",
    "open": "may rise or fall",
}
TURNED: dict[Direction, Direction] = {
    "rises": "falls",
    "falls": "rises",
    "same": "same",
    "open": "open",
}
"""A peak that rises with the share that is kept falls with compression."""
LAW = ["curve", "factor", "best_peak", "slope", "slope_low", "slope_high", "octaves_spanned"]
"""The columns of the table of slopes."""


@dataclass(frozen=True)
class Peaks:
    """A report, and its studies of peaks."""

    report: Report
    studies: Sequence[PeakStudy]

    @property
    def cells(self) -> list[tuple[str, PeakCell]]:
        """All cells with the name of their study."""
        return [(study.name, cell) for study in self.studies for cell in study.cells]


def find(report: Report) -> Peaks | None:
    """Find the studies of peaks; None where there is none."""
    studies = peak_studies(report)
    return Peaks(report, studies) if studies else None


def text(found: Peaks) -> str:
    """What the law says, and every cell's best peak."""
    report = found.report
    caption = (
        "Mean test accuracy against the peak. Here and below, peaks are shares of the dense run's "
        f"largest learning rate, {report.dense_peak:g}. Stars are the best peaks with their bands; "
        f"what is more than {LOWEST:g} points below the best of its line may be off the axis."
    )
    blocks = [caption]
    for study in found.studies:
        blocks += [_said(study, report.settings.confidence), _table(report, study)]
    return "\n\n".join([*blocks, _note(found)])


def table(found: Peaks) -> pd.DataFrame:
    """One row per cell."""
    return pd.DataFrame(
        [
            {
                "curve": name,
                "method": each.method,
                "epochs": each.epochs,
                "parameters_kept_percent": 100 * each.cell.kept,
                "budget_share_of_dense_epochs": each.cell.budget,
                "peak_shares_tried": " ".join(_shares(found.report, each.arms)),
                "peak_shares_not_shown_to_be_worse": " ".join(_shares(found.report, each.unbeaten)),
                "best_peak_share": each.best.value,
                "best_peak_share_low": each.best.low,
                "best_peak_share_high": each.best.high,
                "at_smallest_tried": each.best.at_smallest,
                "at_largest_tried": each.best.at_largest,
            }
            for name, each in found.cells
        ]
    )


def figure(found: Peaks) -> Figure:
    """Draw accuracy against the peak."""
    return peaks_figure(found.report, found.cells)


def laws(found: Peaks) -> pd.DataFrame:
    """One row per slope: octaves of the best peak for each octave of the factor."""
    return pd.DataFrame(
        [
            {
                "curve": study.name,
                "factor": factor,
                "best_peak": slope.direction,
                "slope": slope.mean,
                "slope_low": slope.low,
                "slope_high": slope.high,
                "octaves_spanned": slope.reach,
            }
            for study in found.studies
            for factor, slope in _slopes(study.law)
        ],
        columns=LAW,
    )


def _slopes(law: Law | None) -> list[tuple[str, Slope]]:
    """Return the slopes that there are, by what the best peak moves with."""
    both = [] if law is None else [("parameters kept", law.kept), ("epochs", law.budget)]
    return [(factor, slope) for factor, slope in both if slope]


def _said(study: PeakStudy, confidence: float) -> str:
    """Say how the best peak moves."""
    name, law = code(study.name), study.law
    if law is None:
        return (
            f"{name}: sizes and budgets change together here, so that what moves the best peak "
            "cannot be told."
        )
    said = [_of_size(law.kept)] if law.kept else []
    if law.budget:
        said.append(
            f"With the budget it {SAID[law.budget.direction]}: each doubling of the epochs "
            f"multiplies it by {_factor(law.budget, 1)}."
        )
    ends = sum(_reaches_an_end(each.best) for each in study.cells)
    if ends:
        said.append(
            f"In {ends} of {count(len(study.cells), 'cell')} it or its band reaches an end of what "
            "was tried, and it may lie beyond: brackets and directions hold wherever it does."
        )
    return f"{name}: {' '.join(said)} In brackets are intervals of {level(confidence)} confidence."


def _reaches_an_end(best: BestPeak) -> bool:
    within = not (best.at_smallest or best.at_largest)
    return not within or best.low_open or best.high_open or best.high_capped


def _of_size(slope: Slope) -> str:
    """Say how the best peak moves with compression, and whose advice that bears out."""
    advice = {
        "falls": "as ModelOpt advises; ICE-Pruning lowers it",
        "rises": "as ICE-Pruning has it; ModelOpt advises to raise it",
    }.get(slope.direction, "ModelOpt advises to raise it, ICE-Pruning lowers it")
    return (
        f"With compression the best peak {SAID[TURNED[slope.direction]]}: each halving of the "
        f"parameters multiplies it by {_factor(slope, -1)} ({advice})."
    )


def _factor(slope: Slope, sign: int) -> str:
    """Return what an octave of a factor multiplies the peak by; `sign` -1 for halving it."""
    low, high = sorted((sign * slope.low, sign * slope.high))
    above = "∞" if math.isinf(high) else f"{2**high:.2f}"
    interval = "" if math.isnan(slope.low) else f" [{2**low:.2f}, {above}]"
    return f"{2 ** (sign * slope.mean):.2f}{interval}"


def _table(report: Report, study: PeakStudy) -> str:
    of_peaks = ["best share tried", "its accuracy", "best share", "shares not worse"]
    rows = [
        [
            code(each.method),
            f"{100 * each.cell.kept:.1f} %",
            f"{decimal(each.epochs)} ({each.cell.budget:.2g} E)",
            *_shares(report, [each.highest]),
            accuracy(each.arms[each.highest]),
            in_words(each.best),
            listed(_shares(report, each.unbeaten)),
        ]
        for each in study.cells
    ]
    return markdown(["method", "kept", "epochs", *of_peaks], rows)


def _shares(report: Report, peaks: Iterable[float]) -> list[str]:
    """Return learning rates as shares of the dense run's largest."""
    assert report.dense_peak is not None
    return [f"{peak / report.dense_peak:.4g}" for peak in peaks]


def _note(found: Peaks) -> str:
    report, cells = found.report, [cell for _, cell in found.cells]
    replicates = min(cell.cell.scores.shape[1] for cell in cells)
    few = f" There are none below {LEAST} replicates." if replicates < LEAST else ""
    lost = [
        f"{code(each.method)} for {count(each.epochs, 'epoch')} "
        f"({listed(_shares(report, each.diverged))})"
        for each in cells
        if each.diverged
    ]
    diverged = f" Peaks that diverged take no part: {', '.join(lost)}." if lost else ""
    return (
        "**Best share tried** has the highest mean, **shares not worse** are those that no other "
        "is shown to beat. **Best share** is the best peak: the vertex of the parabola through the "
        "highest mean and its neighbours, on a logarithmic axis; ≤ and ≥ mark an end of what was "
        "tried, beyond which it may lie, < a peak that diverged. Bands "
        f"({level(report.settings.confidence)}) are a bootstrap's over replicates.{few}{diverged}"
    )


SECTION = Section("peaks", "The best peak", find, text, table, figure)
LAWS = Section("peak_law", "The peak law", find, table=laws)
