"""The figure of an ablation: what each change adds on the way from one arm to another."""

from collections.abc import Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.ablation import Ablation, Step
from stages.reporting.dots import interval, limit, rows
from stages.reporting.style import RULES, WIDTH

STEP, WHOLE = "#0072B2", "#222222"


def ablation_figure(found: Sequence[Ablation]) -> Figure:
    """Draw every method's steps: each replicate's difference, the mean and its interval."""
    height = sum(0.24 * (len(ablation.steps) + 1) + 0.35 for ablation in found) + 0.4
    with rc_context(RULES):
        figure = Figure(figsize=(0.75 * WIDTH, height))
        figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04)
        cells = figure.subplots(len(found), 1, squeeze=False, sharex=True).ravel()
        shown = [step for ablation in found for step in (*ablation.steps, ablation.whole)]
        limit(cells[0], [((0.0, *step.by_seed), step.difference) for step in shown])
        for cell, ablation in zip(cells, found, strict=True):
            _steps(cell, ablation)
        cells[-1].set_xlabel("difference in test accuracy, points, paired")
    return figure


def _steps(cell: Axes, ablation: Ablation) -> None:
    rows(cell, [*("; ".join(step.changes) for step in ablation.steps), "all of these"])
    cell.set_title(ablation.method)
    cell.axvline(0, color="#222222", linewidth=0.8)
    cell.axhline(len(ablation.steps) - 0.5, color="#cccccc", linewidth=0.7)
    for position, step in enumerate(ablation.steps):
        _step(cell, position, step, STEP)
    _step(cell, len(ablation.steps), ablation.whole, WHOLE)


def _step(cell: Axes, position: int, step: Step, color: str) -> None:
    interval(cell, position, step.difference, color)
    cell.plot(
        step.by_seed,
        [position] * len(step.by_seed),
        linestyle="",
        marker="o",
        markersize=3,
        markerfacecolor="white",
        markeredgecolor=color,
        markeredgewidth=0.6,
        alpha=0.7,
    )
    cell.plot(step.difference.mean, position, marker="o", markersize=5, color=color)
