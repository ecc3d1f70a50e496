"""Accuracy against what it costs: parameters and MACs that are kept, and all training."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.measures import (
    dense_test,
    last_test,
    macs_kept,
    parameters_kept,
    total_cost,
)
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
from stages.reporting.tables import mean_columns
from stages.results.records import ArmResult
from stages.statistics.estimates import estimate

Price = Callable[[Report, ArmResult], float]
PRICES: dict[str, Price] = {
    "parameters kept, %": lambda report, arm: parameters_kept(
        arm, report.results.pruned[arm.method], report.results.dense
    ),
    "MACs kept, %": lambda report, arm: macs_kept(arm, report.results.dense),
    "training MACs, % of dense": lambda report, arm: total_cost(arm, report.results.dense),
}
"""What an arm costs, by the name of the axis."""
APART = 0.5
"""Percent by which two values on an axis must differ to be two."""


@dataclass(frozen=True)
class TradeOffs:
    """The arms that finished, and the axes on which they differ."""

    report: Report
    arms: list[ArmResult]
    axes: Mapping[str, Price]


def find(report: Report) -> TradeOffs | None:
    """Choose the axes with at least two values; None where there is none."""
    arms = [arm for arm in report.results.arms.values() if not arm.diverged]
    axes = {name: price for name, price in PRICES.items() if _spread(report, arms, price) > APART}
    return TradeOffs(report, arms, axes) if axes else None


def text(found: TradeOffs) -> str:
    """The caption."""
    lines = " Lines join one method's arms that differ in budget alone." * found.report.has_budgets
    return (
        "Each point is an arm, in the colour of its schedule, with its interval; training MACs are "
        f"those of the dense run and the retraining together. Points are set apart sideways.{lines}"
        f"{cut_note(_accuracies(found))}"
    )


def table(found: TradeOffs) -> pd.DataFrame:
    """One row per arm: what it costs and what it gets."""
    report = found.report
    names = ("parameters_kept_percent", "macs_kept_percent", "total_macs_percent_of_dense_training")
    return pd.DataFrame(
        [
            {
                "method": arm.method,
                "schedule": arm.schedule,
                "total_epochs": report.results.dense.epochs + arm.retraining_epochs,
                **{n: price(report, arm) for n, price in zip(names, PRICES.values(), strict=True)},
                **mean_columns("test_top1_percent", last_test(arm)),
            }
            for arm in found.arms
        ]
    )


def figure(found: TradeOffs) -> Figure:
    """Draw test accuracy against each price, a panel per axis, on one scale."""
    report, every = found.report, styles(found.report)
    looks = {line: every[line] for line in report.lines}
    with rc_context(RULES):
        head = legend_height(list(looks))
        chart, panels = grid(len(found.axes), 2, 2.4, head, sharey=True)
        dense = float(dense_test(report.results.dense).mean())
        for panel, (name, price) in zip(panels, found.axes.items(), strict=True):
            panel.axhline(dense, **DENSE)
            panel.set_xlabel(name)
            shift = 0.012 * _spread(report, found.arms, price)
            for index, (line, look) in enumerate(looks.items()):
                aside = shift * (index - (len(looks) - 1) / 2)
                _draw(panel, found, line, look, price, aside)
        stand_on_floor(panels[0], _accuracies(found))
        label(chart, "", "test accuracy, %", head)
        legend(chart, looks)
    return chart


def _accuracies(found: TradeOffs) -> list[float]:
    return [float(last_test(arm).mean()) for arm in found.arms]


def _spread(report: Report, arms: list[ArmResult], price: Price) -> float:
    values = [price(report, arm) for arm in arms]
    return max(values, default=0) - min(values, default=0)


def _draw(panel: Axes, found: TradeOffs, line: str, look: Look, price: Price, aside: float) -> None:
    report = found.report
    for method in report.results.methods:
        names = report.lines[line]
        arms = [arm for arm in found.arms if arm.method == method and arm.schedule in names]
        values = [estimate(last_test(arm), report.settings.confidence) for arm in arms]
        points = sorted(
            zip((price(report, a) for a in arms), values, strict=True), key=itemgetter(0)
        )
        x = [at + aside for at, _ in points]
        y = [value.mean for _, value in points]
        joined = look.dash if x and x[-1] - x[0] > APART else "none"
        panel.plot(x, y, color=look.color, linestyle=joined, marker=look.marker, markersize=4)
        for at, value in zip(x, (value for _, value in points), strict=True):
            if value.has_interval:
                panel.plot([at, at], [value.low, value.high], color=look.color, linewidth=0.8)


SECTION = Section("tradeoffs", "What accuracy costs", find, text, table, figure)
