"""Accuracy by epoch: a figure, and a CSV per arm for `dvc plots`."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.pipeline.files import write_text
from stages.reporting.measures import dense_test
from stages.reporting.plots import grid, label, legend, legend_height, styles
from stages.reporting.report import Report, Section
from stages.reporting.style import DENSE, RULES, Look
from stages.reporting.tables import as_csv
from stages.results.files import Results, repeated
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
    nearest = " Of each schedule the budget nearest to the baseline's is shown."
    note = nearest if report.has_budgets else ""
    return f"{lines} Low values early in training may fall below the axis.{note}"


def figure(report: Report) -> Figure:
    """Draw test accuracy by epoch, one panel per method: mean line, lowest-to-highest band.

    Bands are left out above MOST_BANDS schedules, where they would hide the lines. Arms of unequal
    budget share an axis in percent of their own epochs. The lowest tenth of the values after
    the first fifth of training may fall below the axis.
    """
    results, every = report.results, styles(report)
    looks = {name: every[name] for name in report.representatives}
    arms = {m: [results.arms[m, name] for name in looks] for m in results.methods}
    lengths = {_accuracies(arm).shape[1] for group in arms.values() for arm in group}
    relative = len(lengths) > 1
    with rc_context(RULES):
        chart, panels = grid(len(arms), 2, 2.6, legend_height(list(looks)), sharex=True)
        for panel, (method, group) in zip(panels, arms.items(), strict=True):
            panel.set_title(method)
            for arm in group:
                band = len(group) <= MOST_BANDS and len(arm.replicates) > 1
                _draw(panel, _accuracies(arm), looks[arm.schedule], relative, band)
            dense = float(dense_test(results.dense).mean())
            panel.axhline(dense, **DENSE)
            panel.set_xlim(0, 100 if relative else max(lengths))
            panel.set_ylim(*_late_window([_accuracies(arm) for arm in group], dense))
        axis = "training done, % of the arm's own epochs" if relative else "epoch of retraining"
        label(chart, axis, "test accuracy, %")
        legend(chart, looks)
    return chart


def write_curves(folder: Path, results: Results) -> None:
    """Write one CSV per arm, the folder that `dvc plots` draws."""
    for (method, schedule), arm in results.arms.items():
        write_text(folder / f"{method}-{schedule}.csv", as_csv(epoch_table(arm)))


def epoch_table(arm: ArmResult) -> pd.DataFrame:
    """One arm by epoch: learning rate at mid-epoch, accuracies in percent, means over replicates.

    The learning rate is that of the nearest recorded step.
    """
    accuracy = np.array([run.history.test_accuracy for run in arm.replicates])
    held_out = [run.history.validation_accuracy for run in arm.replicates]
    epochs = np.arange(accuracy.shape[1])
    validation = [100 * np.mean(values) for values in zip(*filter(None, held_out), strict=True)]
    steps = np.asarray(arm.points.step)
    middle = (epochs + 0.5) * arm.steps_per_epoch
    nearest = np.abs(steps[None, :] - middle[:, None]).argmin(axis=1)
    return pd.DataFrame(
        {
            "epoch": epochs + 1,
            "lr": [f"{arm.points.lr[index]:.6g}" for index in nearest],
            "test_accuracy": 100 * accuracy.mean(axis=0),
            "validation_accuracy": validation or math.nan,
        }
    )


def _accuracies(arm: ArmResult) -> np.ndarray:
    """Return an arm's test accuracies in percent, [replicates, epochs]."""
    return 100 * np.array([run.history.test_accuracy for run in arm.replicates])


def _draw(panel: Axes, accuracy: np.ndarray, look: Look, relative: bool, band: bool) -> None:
    epochs = np.arange(1, accuracy.shape[1] + 1)
    x = 100 * epochs / epochs[-1] if relative else epochs
    if band:
        low, high = accuracy.min(axis=0), accuracy.max(axis=0)
        panel.fill_between(x, low, high, color=look.color, alpha=0.16, linewidth=0)
    panel.plot(x, accuracy.mean(axis=0), color=look.color, linestyle=look.dash, linewidth=1.3)


def _late_window(accuracies: Iterable[np.ndarray], dense: float) -> tuple[float, float]:
    late = np.concatenate([array[:, array.shape[1] // 5 :].ravel() for array in accuracies])
    low = min(float(np.quantile(late, 0.1)), dense)
    high = max(float(late.max()), dense)
    margin = max(0.05 * (high - low), 0.05)
    return low - margin, high + margin


SECTION = Section("epochs", "How accuracy returns", find, text, figure=figure)
