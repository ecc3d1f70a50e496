"""The figure of the best peaks: accuracy against the peak, by size and budget."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.measures import dense_test
from stages.reporting.peaks import PeakCell
from stages.reporting.plots import grid, label, legend, legend_height
from stages.reporting.report import Report
from stages.reporting.style import COLORS, DENSE, PATTERNS, RULES, Look
from stages.reporting.words import count

LOWEST = 10.0
"""Points below the best of its line from which on a collapse does not stretch the axis."""


def peaks_figure(report: Report, cells: Sequence[tuple[str, PeakCell]]) -> Figure:
    """Draw a panel for each curve, by name, and method, with a line for each budget."""
    panels = list(dict.fromkeys((name, cell.method) for name, cell in cells))
    looks = zip(cycle(COLORS.values()), cycle(PATTERNS.values()), strict=False)
    budgets = sorted({cell.epochs for _, cell in cells})
    styles = {epochs: Look(c, *p) for epochs, (c, p) in zip(budgets, looks, strict=False)}
    named = {count(epochs, "epoch"): look for epochs, look in styles.items()}
    curves = {name for name, _ in panels}
    with rc_context(RULES):
        head = legend_height(list(named))
        chart, axes = grid(len(panels), 3, 2.4, head)
        for panel, (name, method) in zip(axes, panels, strict=True):
            here = [cell for other, cell in cells if (other, cell.method) == (name, method)]
            title = f"{method}, {100 * here[0].cell.kept:.1f} %"
            panel.set_title(f"{name}\n{title}" if len(curves) > 1 else title)
            _draw(panel, report, here, styles)
        label(chart, "peak / largest learning rate of the dense run", "test accuracy, %", head)
        legend(chart, named)
    return chart


def _draw(
    panel: Axes, report: Report, cells: Sequence[PeakCell], styles: Mapping[float, Look]
) -> None:
    dense = float(dense_test(report.results.dense).mean())
    lowest, highest = math.inf, dense
    panel.set_xscale("log", base=2)
    panel.axhline(dense, **DENSE)
    for each in cells:
        look, means = styles[each.epochs], each.cell.scores.mean(1)
        top = float(means.max())
        panel.plot(each.cell.peaks, means, color=look.color, linestyle=look.dash, marker=".")
        panel.plot(each.best.value, top, color=look.color, marker="*", markersize=11)
        panel.plot([each.best.low, each.best.high], [top, top], color=look.color, linewidth=3.5)
        lowest = min(lowest, float(means[means > top - LOWEST].min()))
        highest = max(highest, top)
    room = 0.08 * (highest - lowest)
    panel.set_ylim(lowest - room, highest + room)
    panel.xaxis.set_major_formatter(lambda share, _: f"{share:g}")
