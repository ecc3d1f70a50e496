"""Learning rate by epoch, a panel per schedule."""

import math
from collections.abc import Mapping

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from stages.reporting.plots import SampledCurve, grid, label, lr_axis, sampled, styles
from stages.reporting.report import Report, Section
from stages.reporting.style import GREY, RULES, SIZE, Look, looks
from stages.reporting.words import code, momentum_in_brief


def find(report: Report) -> Report:
    """Every arm has learning rates."""
    return report


def text(report: Report) -> str:
    """The caption."""
    informed = report.settings.informed
    caption = f"As used with {code(informed)}."
    for arm in report.results.of(informed):
        scales = [r.lr_scale for r in arm.replicates] + [r.lr_scale for r in arm.diverged]
        if any(scale != 1 for scale in scales):
            listing = ", ".join(f"{scale:.2f}" for scale in scales)
            caption += (
                f" {code(arm.schedule)} adapts to how far pruning moved each replicate: plotted "
                f"at the mean of its scales ({listing})."
            )
    return caption


def figure(report: Report) -> Figure:
    """Draw the learning rates of the informed method's arms."""
    arms = report.results.arms
    names = report.representatives
    curves = {name: sampled(arms[report.settings.informed, name]) for name in names}
    return lr_figure(curves, styles(report))


def lr_figure(
    curves: Mapping[str, SampledCurve], styles: Mapping[str, Look] | None = None
) -> Figure:
    """Draw every learning-rate curve in its own panel, on one common axis of learning rates.

    The axis is logarithmic where the rates span more than a factor of 30; a rate of 0 then
    leaves the panel at the bottom.
    """
    styles = styles or looks(curves)
    logarithmic, low, high = lr_axis(curves.values())
    same_length = len({round(curve.epoch[-1]) for curve in curves.values()}) == 1
    with rc_context(RULES):
        chart, panels = grid(len(curves), 2, 1.25, sharey=True, sharex=same_length)
        for panel, (name, curve) in zip(panels, curves.items(), strict=True):
            rates = np.maximum(curve.lr, low / 10) if logarithmic else curve.lr
            panel.plot(curve.epoch, rates, color=styles[name].color)
            panel.set_title(f"{name}\n", fontsize=SIZE, pad=0)
            panel.annotate(
                _note(curve, high),
                (0, 1),
                (0, 3),
                xycoords="axes fraction",
                textcoords="offset points",
                fontsize=SIZE,
                color=GREY,
            )
            panel.set_xlim(0, math.ceil(curve.epoch[-1]))
            panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        if logarithmic:
            panels[0].set_yscale("log")
            panels[0].yaxis.set_major_locator(LogLocator(numticks=5))
            panels[0].yaxis.set_major_formatter(lambda rate, _: f"{rate:g}")
        panels[0].set_ylim(low, high)
        label(chart, "epoch", "learning rate")
    return chart


def _note(curve: SampledCurve, high: float) -> str:
    """Say of a curve that diverged so, and how high it goes where the axis ends below."""
    if not curve.diverged:
        return f"momentum {momentum_in_brief(curve.momentum)}"
    peak = max(curve.lr)
    return "diverged" + (f"; up to {peak:.4g}, off the axis" if peak > high else "")


SECTION = Section("learning_rates", "Learning rates", find, text, figure=figure)
