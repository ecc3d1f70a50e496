"""Figures of lines: learning rates, accuracy by epoch, accuracy by budget."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from stages.reporting.momentum import in_brief
from stages.reporting.statistics import Estimate
from stages.reporting.style import (
    DENSE,
    GREY,
    RULES,
    Look,
    grid,
    label,
    legend,
    legend_height,
    looks,
)

MOST_BANDS = 6
MOST_TICKS = 12
SUBTITLE: dict[str, Any] = {
    "xycoords": "axes fraction",
    "textcoords": "offset points",
    "fontsize": 7,
    "color": GREY,
}


@dataclass(frozen=True)
class Curve:
    """Learning rate and momentum at some epochs (fractions allowed) of a run."""

    epoch: Sequence[float]
    lr: Sequence[float]
    momentum: Sequence[float]


@dataclass(frozen=True)
class Traces:
    """One method: dense accuracy and each schedule's accuracies [replicates, epochs], percent."""

    title: str
    dense: float
    accuracy: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Budgets:
    """One method: each schedule's difference to the dense network, in points, by epochs."""

    title: str
    difference: Mapping[str, Mapping[int, Estimate]]


def lr_figure(curves: Mapping[str, Curve], styles: Mapping[str, Look] | None = None) -> Figure:
    """Draw every learning-rate curve in its own panel, on one common axis of learning rates.

    The axis is logarithmic where the rates span more than a factor of 30; a rate of 0 then
    leaves the panel at the bottom.
    """
    styles = styles or looks(list(curves))
    logarithmic, low, high = lr_axis(np.concatenate([curve.lr for curve in curves.values()]))
    same_length = len({round(curve.epoch[-1]) for curve in curves.values()}) == 1
    with rc_context(RULES):
        figure, cells = grid(len(curves), 4, 1.45, sharey=True, sharex=same_length)
        for cell, (name, curve) in zip(cells, curves.items(), strict=True):
            rates = np.maximum(curve.lr, low / 10) if logarithmic else curve.lr
            cell.plot(curve.epoch, rates, color=styles[name].color)
            cell.set_title(f"{name}\n", fontsize=8.5, pad=0)
            cell.annotate(f"momentum {in_brief(curve.momentum)}", (0, 1), (0, 3), **SUBTITLE)
            cell.set_xlim(0, math.ceil(curve.epoch[-1]))
            cell.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        if logarithmic:
            cells[0].set_yscale("log")
            cells[0].yaxis.set_major_locator(LogLocator(numticks=7))
        cells[0].set_ylim(low, high)
        label(figure, "epoch", "learning rate")
    return figure


def lr_axis(rates: np.ndarray) -> tuple[bool, float, float]:
    """Return whether an axis of these learning rates is logarithmic, and its two ends."""
    top = float(rates.max())
    positive = rates[rates > 0]
    if not positive.size or top / positive.min() <= 30:
        return False, -0.04 * top, 1.1 * top or 1.0
    return True, max(float(positive.min()), 1e-5 * top) / 1.6, 1.6 * top


def epochs_figure(panels: Sequence[Traces], styles: Mapping[str, Look]) -> Figure:
    """Draw test accuracy by epoch, one panel per method: mean line, lowest-to-highest band.

    Bands are left out above MOST_BANDS schedules, where they would hide the lines. Arms of unequal
    budget share an axis in percent of their own epochs. The lowest tenth of the values after
    the first fifth of training may fall below the axis.
    """
    names = {name: styles[name] for name in panels[0].accuracy}
    lengths = {array.shape[1] for panel in panels for array in panel.accuracy.values()}
    relative = len(lengths) > 1
    with rc_context(RULES):
        head = legend_height(list(names))
        figure, cells = grid(len(panels), 2, 2.6, head, sharex=True)
        for cell, panel in zip(cells, panels, strict=True):
            for name, array in panel.accuracy.items():
                _trace(cell, array, styles[name], relative, band=len(names) <= MOST_BANDS)
            cell.axhline(panel.dense, **DENSE)
            cell.set_title(panel.title)
            cell.set_xlim(0, 100 if relative else max(lengths))
            cell.set_ylim(*_late_window(panel))
        axis = "training done, % of the arm's own epochs" if relative else "epoch of retraining"
        label(figure, axis, "test accuracy, %")
        legend(figure, names)
    return figure


def budget_figure(panels: Sequence[Budgets], styles: Mapping[str, Look]) -> Figure:
    """Draw the difference to the dense network against epochs: one line per schedule."""
    names = {name: styles[name] for name in panels[0].difference}
    with rc_context(RULES):
        head = legend_height(list(names))
        figure, cells = grid(len(panels), 2, 2.8, head, sharex=True)
        for cell, panel in zip(cells, panels, strict=True):
            shift = _shift(panel)
            for index, (name, points) in enumerate(panel.difference.items()):
                _budget_line(cell, points, styles[name], shift * (index - (len(names) - 1) / 2))
            cell.axhline(0, **DENSE)
            cell.set_title(panel.title)
            ticks = sorted({epochs for points in panel.difference.values() for epochs in points})
            cell.set_xticks(ticks[:: math.ceil(len(ticks) / MOST_TICKS)])
        label(figure, "epochs of retraining", "difference to dense, points")
        legend(figure, names)
    return figure


def _trace(cell: Axes, array: np.ndarray, look: Look, relative: bool, band: bool) -> None:
    epochs = np.arange(1, array.shape[1] + 1)
    x = 100 * epochs / epochs[-1] if relative else epochs
    if band and len(array) > 1:
        cell.fill_between(
            x, array.min(axis=0), array.max(axis=0), color=look.color, alpha=0.16, linewidth=0
        )
    cell.plot(x, array.mean(axis=0), color=look.color, linestyle=look.dash, linewidth=1.3)


def _late_window(panel: Traces) -> tuple[float, float]:
    late = [array[:, array.shape[1] // 5 :].ravel() for array in panel.accuracy.values()]
    values = np.concatenate(late)
    low = min(float(np.quantile(values, 0.1)), panel.dense)
    high = max(float(values.max()), panel.dense)
    margin = max(0.05 * (high - low), 0.05)
    return low - margin, high + margin


def _shift(panel: Budgets) -> float:
    epochs = sorted({epoch for points in panel.difference.values() for epoch in points})
    return 0.05 * (epochs[-1] - epochs[0]) / max(len(epochs), 1)


def _budget_line(cell: Axes, points: Mapping[int, Estimate], look: Look, shift: float) -> None:
    epochs = sorted(points)
    x = [epoch + shift for epoch in epochs]
    y = [points[epoch].mean for epoch in epochs]
    cell.plot(x, y, color=look.color, linestyle=look.dash, marker=look.marker, markersize=3.5)
    bars = [index for index, epoch in enumerate(epochs) if points[epoch].has_interval]
    for index in bars:
        interval = points[epochs[index]]
        cell.plot(
            [x[index]] * 2,
            [interval.low, interval.high],
            color=look.color,
            linewidth=0.8,
            alpha=0.6,
        )
