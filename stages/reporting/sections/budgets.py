"""Accuracy against budget: every cell, as the papers' figures and tables have it."""

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.measures import last_test
from stages.reporting.plots import (
    cut_note,
    grid,
    label,
    legend,
    legend_height,
    stand_on_floor,
    styles,
)
from stages.reporting.report import Report, Section
from stages.reporting.style import DENSE, RULES, Look
from stages.reporting.tables import (
    accuracy,
    interval_columns,
    markdown,
    mean_columns,
    with_interval,
)
from stages.reporting.words import code, count, level
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate

MOST_TICKS = 12


def find(report: Report) -> Report | None:
    """The report where some schedule was run with several budgets."""
    return report if report.has_budgets else None


def text(report: Report) -> str:
    """Every method's differences to the dense network, schedules down, budgets across."""
    caption = (
        "Schedules that differ in epochs alone are joined; bars are intervals, points are set "
        f"apart sideways.{cut_note(_to_dense(report))}"
    )
    note = (
        "Each cell holds the paired difference to the dense network in points with its "
        f"{level(report.settings.confidence)} interval, and below it the test accuracy in percent. "
        "Bold: the winner of that budget."
    )
    return "\n\n".join([caption, *(_rows(report, m) for m in report.results.methods), note])


def table(report: Report) -> pd.DataFrame:
    """Every cell of accuracy against budget, one row each."""
    return pd.DataFrame(
        [
            {
                "method": method,
                "line": line,
                "epochs": arm.epochs,
                "replicates": len(arm.seeds),
                "diverged": len(arm.diverged),
                **mean_columns("test_top1_percent", last_test(arm)),
                **interval_columns("difference_to_dense_points", report.to_dense(arm)),
            }
            for method in report.results.methods
            for line in report.lines
            for arm in _arms(report, method, line)
        ]
    )


def figure(report: Report) -> Figure:
    """Draw the difference to the dense network against epochs: one line per schedule."""
    looks = styles(report)
    looks = {line: looks[line] for line in report.lines}
    methods = report.results.methods
    with rc_context(RULES):
        head = legend_height(list(looks))
        chart, panels = grid(len(methods), 2, 2.8, head, sharex=True)
        for panel, method in zip(panels, methods, strict=True):
            panel.set_title(method)
            _draw(panel, report, method, looks)
        label(chart, "epochs of retraining", "difference to dense, points", head)
        legend(chart, looks)
    return chart


def _arms(report: Report, method: str, line: str) -> list[ArmResult]:
    """Return a line's arms under one method, the shortest first."""
    arms = [report.results.arms[method, name] for name in report.lines[line]]
    return sorted(arms, key=lambda arm: arm.epochs)


def _rows(report: Report, method: str) -> str:
    budgets = sorted({arm.epochs for arm in report.results.of(method)})
    rows = []
    for line in report.lines:
        arms = {arm.epochs: arm for arm in _arms(report, method, line)}
        rows.append([code(line), *(_cell(report, arms.get(epochs)) for epochs in budgets)])
    return markdown([code(method), *(count(epochs, "epoch") for epochs in budgets)], rows)


def _cell(report: Report, arm: ArmResult | None) -> str:
    if arm is None:
        return "–"
    bold = "**" if arm.schedule in report.winners(arm.method) else ""
    return f"{bold}{with_interval(report.to_dense(arm))}{bold}<br>{accuracy(arm)}"


def _draw(panel: Axes, report: Report, method: str, looks: Mapping[str, Look]) -> None:
    ticks = sorted({arm.epochs for arm in report.results.of(method)})
    shift = 0.05 * (ticks[-1] - ticks[0]) / len(ticks)
    for index, (line, look) in enumerate(looks.items()):
        points = {arm.epochs: report.to_dense(arm) for arm in _arms(report, method, line)}
        _line(panel, points, look, shift * (index - (len(looks) - 1) / 2))
    panel.axhline(0, **DENSE)
    stand_on_floor(panel, _to_dense(report, method))
    panel.set_xticks(ticks[:: math.ceil(len(ticks) / MOST_TICKS)])


def _to_dense(report: Report, method: str | None = None) -> list[float]:
    """Return the differences to the dense network of a method's arms, or of all."""
    arms = report.results.of(method) if method else report.results.arms.values()
    return [report.to_dense(arm).mean for arm in arms]


def _line(panel: Axes, points: Mapping[float, Estimate], look: Look, shift: float) -> None:
    x = [epochs + shift for epochs in points]
    y = [value.mean for value in points.values()]
    panel.plot(x, y, color=look.color, linestyle=look.dash, marker=look.marker, markersize=3.5)
    for at, value in zip(x, points.values(), strict=True):
        if value.has_interval:
            ends = [value.low, value.high]
            panel.plot([at, at], ends, color=look.color, linewidth=0.8)


SECTION = Section("budgets", "Accuracy against budget", find, text, table, figure)
