"""Accuracy by epoch: a figure."""

from collections.abc import Iterable

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.curves import accuracies
from stages.reporting.measures import dense_test
from stages.reporting.plots import grid, label, legend, legend_height, styles
from stages.reporting.report import Report, Section
from stages.reporting.style import DENSE, RULES, Look
from stages.results.files import repeated
from stages.results.records import ArmResult

MOST_BANDS = 6


def find(report: Report) -> Report:
    """Every arm has a history."""
    return report


def text(report: Report) -> str:
    """The caption."""
    if not repeated(report.results):
        lines = "Each line is one replicate."
    elif len(report.lines) > MOST_BANDS:
        lines = "Lines are means over replicates."
    else:
        lines = "Lines are means over replicates; bands run from the lowest to the highest."
    gone = " Of an arm that diverged each replicate is drawn as far as it came, to a cross."
    nearest = " Of each schedule the budget nearest to the baseline's is shown."
    note = nearest if report.has_budgets else ""
    crosses = gone if report.diverged else ""
    return f"{lines} Low values early in training may fall below the axis.{crosses}{note}"


def figure(report: Report) -> Figure:
    """Draw test accuracy by epoch, one panel per method: mean line, lowest-to-highest band.

    Bands are left out above MOST_BANDS schedules, where they would hide the lines. Arms of unequal
    budget share an axis in percent of their own epochs. The lowest tenth of the values after
    the first fifth of training may fall below the axis.
    """
    results, every = report.results, styles(report)
    looks = {name: every[name] for name in report.representatives}
    arms = {m: [results.arms[m, name] for name in looks] for m in results.methods}
    lengths = {arm.last_epochs for group in arms.values() for arm in group}
    relative = len(lengths) > 1
    with rc_context(RULES):
        head = legend_height(list(looks))
        chart, panels = grid(len(arms), 2, 2.6, head, sharex=True)
        for panel, (method, group) in zip(panels, arms.items(), strict=True):
            panel.set_title(method)
            for arm in group:
                if arm.diverged:
                    _draw_replicates(panel, arm, looks[arm.schedule], relative)
                else:
                    _draw(panel, arm, looks[arm.schedule], relative, len(group) <= MOST_BANDS)
            dense = float(dense_test(results.dense).mean())
            panel.axhline(dense, **DENSE)
            panel.set_xlim(0, 100 if relative else max(lengths))
            finished = [accuracies(arm) for arm in group if not arm.diverged]
            panel.set_ylim(*_late_window(finished, dense))
        axis = "training done, % of the arm's own epochs" if relative else "epoch of retraining"
        label(chart, axis, "test accuracy, %", head)
        legend(chart, looks)
    return chart


def _draw(panel: Axes, arm: ArmResult, look: Look, relative: bool, band: bool) -> None:
    x, accuracy = _epochs(arm, relative), accuracies(arm)
    if band and len(accuracy) > 1:
        low, high = accuracy.min(axis=0), accuracy.max(axis=0)
        panel.fill_between(x, low, high, color=look.color, alpha=0.16, linewidth=0)
    panel.plot(x, accuracy.mean(axis=0), color=look.color, linestyle=look.dash, linewidth=1.3)


def _draw_replicates(panel: Axes, arm: ArmResult, look: Look, relative: bool) -> None:
    """Draw every replicate, and a cross where one that diverged ended."""
    x, accuracy = _epochs(arm, relative), accuracies(arm)
    panel.plot(x, accuracy.T, color=look.color, linestyle=look.dash, linewidth=0.8)
    for row in accuracy[len(arm.replicates) :]:
        end = np.flatnonzero(~np.isnan(row))[-1:]
        panel.plot(x[end], row[end], color=look.color, marker="x", markersize=5)


def _epochs(arm: ArmResult, relative: bool) -> np.ndarray:
    epochs = np.arange(1, arm.last_epochs + 1)
    return 100 * epochs / arm.last_epochs if relative else epochs


def _late_window(accuracies: Iterable[np.ndarray], dense: float) -> tuple[float, float]:
    parts = [array[:, array.shape[1] // 5 :].ravel() for array in accuracies]
    late = np.concatenate(parts or [np.array([dense])])
    low = min(float(np.quantile(late, 0.1)), dense)
    high = max(float(late.max()), dense)
    margin = max(0.05 * (high - low), 0.05)
    return low - margin, high + margin


SECTION = Section("epochs", "How accuracy returns", find, text, figure=figure)
