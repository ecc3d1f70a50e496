"""Pruning methods by schedules: every mean accuracy at a glance."""

import numpy as np
import pandas as pd
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from stages.reporting.measures import last_test
from stages.reporting.report import Report, Section
from stages.reporting.style import GRID, RULES, WIDTH, contrast

METHODS, SCHEDULES = 3, 2
"""From how many methods and schedules on a map shows more than the tables do."""
LETTERS = "#000000", "#fefefe"
"""Dark and light, the same on every screen: what is behind them is the same too."""
COLORS = "cividis"


def find(report: Report) -> pd.DataFrame | None:
    """Return mean test accuracies in percent, methods by schedules, NaN for what diverged."""
    results = report.results
    if len(results.methods) < METHODS or len(results.schedules) < SCHEDULES:
        return None
    means = [
        [float(last_test(results.arms[m, s]).mean(skipna=False)) for s in results.schedules]
        for m in results.methods
    ]
    found = pd.DataFrame(means, index=results.methods, columns=results.schedules)
    return found if found.notna().any(axis=None) else None


def text(found: pd.DataFrame) -> str:
    """The caption."""
    return (
        "Mean test accuracy after the last epoch, in percent; the lighter, the higher. A cell that "
        "is empty diverged."
    )


def figure(found: pd.DataFrame) -> Figure:
    """Draw the map, schedules down and methods across."""
    values = found.T.to_numpy()
    with rc_context(RULES):
        chart = Figure(figsize=(WIDTH, 0.28 * len(values) + 0.8))
        chart.set_layout_engine("constrained")
        panel = chart.subplots()
        mesh = np.ma.masked_invalid(values)
        panel.pcolormesh(mesh, cmap=COLORS, edgecolor=GRID, linewidth=0.5)
        panel.invert_yaxis()
        panel.set_yticks(np.arange(len(values)) + 0.5, found.columns)
        panel.set_xticks(np.arange(values.shape[1]) + 0.5, found.index, rotation=30, ha="right")
        panel.grid(visible=False)
        panel.tick_params(length=0)
        _write(panel, values)
    return chart


def _write(panel: Axes, values: np.ndarray) -> None:
    low, high = np.nanmin(values), np.nanmax(values)
    for (row, column), value in np.ndenumerate(values):
        if np.isnan(value):
            continue
        behind = to_hex(colormaps[COLORS]((value - low) / (high - low) if high > low else 0.0))
        color = max(LETTERS, key=lambda letter: contrast(letter, behind))
        panel.text(column + 0.5, row + 0.5, f"{value:.1f}", ha="center", va="center", color=color)


SECTION = Section("heat", "Methods by schedules", find, text, figure=figure)
