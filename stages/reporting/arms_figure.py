"""The figure of every arm: curve, accuracies and paired differences, one row per arm."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.measures import dense_test, last_test, pruned_test
from stages.reporting.plots import (
    beyond,
    floor,
    interval,
    limit,
    lr_axis,
    replicate_dots,
    rows,
    sampled,
    styles,
)
from stages.reporting.report import Report
from stages.reporting.style import DENSE, GREY, INK, PRUNED, RULES, WIDTH, Look
from stages.reporting.tables import diverged
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate, estimate

NOTE: dict[str, Any] = {"va": "center", "color": GREY}


def arms_figure(report: Report) -> Figure:
    """Draw every arm of every method: its curve, its accuracies, its paired difference.

    Left: the learning rate over the arm's own run, all on one scale. Middle: each replicate, the
    mean and its interval; dense and pruned accuracy as lines and in the title. Right: the
    difference to the baseline arm of the same method, with its interval. Intervals that would dwarf
    the data are cut at the edge of the panel, and so are arms far below all others, with their
    numbers there.
    """
    results, looks = report.results, styles(report)
    axis = lr_axis([sampled(arm) for arm in results.arms.values()])
    with rc_context(RULES):
        figure, panels = _panels([len(results.of(method)) for method in results.methods])
        _limit_both(panels[0, 1], panels[0, 2], report)
        for (curves, left, right), method in zip(panels, results.methods, strict=True):
            arms = results.of(method)
            _head(curves, _title(report, method))
            _curves(curves, arms, looks, axis)
            _references(left, report, method)
            _accuracies(left, report, arms, looks)
            _differences(right, report, arms, looks)
        panels[-1, 0].set_xlabel("LR (log)" if axis[0] else "LR")
        panels[-1, 1].set_xlabel("test accuracy, %")
        panels[-1, 2].set_xlabel(f"points over {report.baseline}")
    return figure


def _panels(arms: Sequence[int]) -> tuple[Figure, np.ndarray]:
    """Return a figure of three panels per method, as high as the method has arms."""
    heights = [number + 0.6 for number in arms]
    figure = Figure(figsize=(WIDTH, 0.2 * sum(heights) + 0.34 * len(arms) + 0.4))
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04)
    widths = [0.22, 1, 1]
    panels = figure.subplots(
        len(arms), 3, squeeze=False, sharex="col", height_ratios=heights, width_ratios=widths
    )
    return figure, panels


def _limit_both(left: Axes, right: Axes, report: Report) -> None:
    every = report.results.arms.values()
    means = [_mean(report, arm).mean for arm in every]
    lowest = floor(means)
    arms = [a for a, mean in zip(every, means, strict=True) if lowest is None or mean >= lowest]
    dense = float(dense_test(report.results.dense).mean())
    limit(left, [((*last_test(arm), dense), _mean(report, arm)) for arm in arms])
    differences = [v for arm in arms if (v := report.to_baseline(arm)) and v.known]
    zero = Estimate(0.0, 0.0, 1, np.nan, np.nan)
    limit(right, [((0.0, value.mean), value) for value in differences] or [((0.0,), zero)])


def _curves(
    panel: Axes,
    arms: Sequence[ArmResult],
    looks: dict[str, Look],
    axis: tuple[bool, float, float],
) -> None:
    rows(panel, [arm.schedule for arm in arms])
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
    logarithmic, low, high = axis
    for position, arm in enumerate(arms):
        lr = np.clip(arm.points.lr, low, high)
        height = np.log(lr / low) / np.log(high / low) if logarithmic else lr / high
        done = np.linspace(0, 1, len(lr))
        color = looks[arm.schedule].color
        panel.plot(done, position + 0.36 - 0.72 * height, color=color, linewidth=1)


def _accuracies(
    panel: Axes, report: Report, arms: Sequence[ArmResult], looks: dict[str, Look]
) -> None:
    rows(panel, [arm.schedule for arm in arms], labels=False)
    for position, arm in enumerate(arms):
        color, mean = looks[arm.schedule].color, _mean(report, arm)
        interval(panel, position, mean, color)
        replicate_dots(panel, position, last_test(arm).dropna().tolist(), color)
        if arm.diverged:
            panel.text(0.01, position, diverged(arm), **NOTE, transform=panel.get_yaxis_transform())
            continue
        panel.plot(mean.mean, position, marker="|", markersize=9, markeredgewidth=2, color=color)
        beyond(panel, position, mean.mean)


def _references(panel: Axes, report: Report, method: str) -> None:
    """Mark the accuracies of the dense and the pruned network, the latter where it is in range."""
    dense, pruned = _untrained(report, method)
    left, right = panel.get_xlim()
    panel.axvline(dense, **DENSE)
    if left <= pruned <= right:
        panel.axvline(pruned, **PRUNED)


def _differences(
    panel: Axes, report: Report, arms: Sequence[ArmResult], looks: dict[str, Look]
) -> None:
    rows(panel, [arm.schedule for arm in arms], labels=False)
    panel.axvline(0, color=INK, linewidth=0.8)
    for position, arm in enumerate(arms):
        color, difference = looks[arm.schedule].color, report.to_baseline(arm)
        if difference is None:
            panel.text(0, position, " baseline", **NOTE)
            continue
        if not difference.known:
            continue
        interval(panel, position, difference, color)
        panel.plot(difference.mean, position, marker="o", markersize=4.5, color=color)
        beyond(panel, position, difference.mean)


def _mean(report: Report, arm: ArmResult) -> Estimate:
    return estimate(last_test(arm), report.settings.confidence)


def _untrained(report: Report, method: str) -> tuple[float, float]:
    """Return the mean test accuracies of the dense networks, and as a method pruned them."""
    pruned = pruned_test(report.results.pruned[method])
    return float(dense_test(report.results.dense).mean()), float(pruned.mean())


def _head(panel: Axes, text: str) -> None:
    """Write a title that may be wider than its panel, for which only its height is kept free."""
    panel.set_title(" ")
    title = panel.annotate(
        text, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points"
    )
    title.set(fontsize=RULES["axes.titlesize"], fontweight=RULES["axes.titleweight"])
    title.set_in_layout(False)


def _title(report: Report, method: str) -> str:
    dense, pruned = _untrained(report, method)
    return f"{method}: pruned {pruned:.1f} %, dense {dense:.1f} %"
