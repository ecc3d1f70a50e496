"""The figure of every arm: curve, accuracies and paired differences, one row per arm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.lines import Curve, lr_axis
from stages.reporting.statistics import Estimate
from stages.reporting.style import DENSE, GREY, PRUNED, RULES, WIDTH, Look


@dataclass(frozen=True)
class Row:
    """One arm: curve, every replicate's accuracy, their mean, the difference to the baseline."""

    curve: Curve
    replicates: Sequence[float]
    mean: Estimate
    difference: Estimate | None


@dataclass(frozen=True)
class Field:
    """One pruning method: dense and pruned accuracy in percent, and its arms by schedule."""

    title: str
    dense: float
    pruned: float
    rows: Mapping[str, Row]


def arms_figure(
    fields: Sequence[Field], styles: Mapping[str, Look], baseline: str, confidence: float
) -> Figure:
    """Draw every arm of every method: its curve, its accuracies, its paired difference.

    Left: the learning rate over the arm's own run, all on one scale. Middle: each replicate, the
    mean and its interval; dense and pruned accuracy as lines. Right: the difference to the baseline
    arm of the same method, with its interval. Intervals that would dwarf the data are cut at the
    edge of the panel.
    """
    counts = [len(field.rows) + 0.6 for field in fields]
    with rc_context(RULES):
        figure = Figure(figsize=(WIDTH, 0.19 * sum(counts) + 0.42 * len(fields) + 0.4))
        figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04)
        cells = figure.subplots(
            len(fields),
            3,
            squeeze=False,
            sharex="col",
            height_ratios=counts,
            width_ratios=[0.16, 1.15, 1],
        )
        limit(cells[0, 1], [values for field in fields for values in _left_extent(field)])
        limit(cells[0, 2], [values for field in fields for values in _right_extent(field)])
        logarithmic, *ends = lr_axis(_rates(fields))
        for (curves, left, right), field in zip(cells, fields, strict=True):
            _curves(curves, field, styles, logarithmic, *ends)
            _accuracies(left, field, styles)
            _differences(right, field, styles)
        cells[-1, 0].set_xlabel("LR (log)" if logarithmic else "LR")
        cells[-1, 1].set_xlabel(
            f"test accuracy after the last epoch, % {_kind(fields, confidence)}"
        )
        cells[-1, 2].set_xlabel(f"difference to {baseline}, points, paired")
    return figure


def _curves(
    cell: Axes, field: Field, styles: Mapping[str, Look], logarithmic: bool, low: float, high: float
) -> None:
    rows(cell, list(field.rows))
    cell.set_title(field.title, pad=13)
    cell.set_xticks([])
    cell.spines["bottom"].set_visible(False)
    for position, (name, row) in enumerate(field.rows.items()):
        lr = np.clip(row.curve.lr, low, high)
        height = np.log(lr / low) / np.log(high / low) if logarithmic else lr / high
        done = np.linspace(0, 1, len(lr))
        cell.plot(done, position + 0.36 - 0.72 * height, color=styles[name].color, linewidth=1)


def _rates(fields: Sequence[Field]) -> np.ndarray:
    return np.concatenate([row.curve.lr for field in fields for row in field.rows.values()])


def _accuracies(cell: Axes, field: Field, styles: Mapping[str, Look]) -> None:
    rows(cell, list(field.rows), labels=False)
    cell.axvline(field.dense, **DENSE)
    _note(cell, f"dense {field.dense:.1f}", field.dense, "data", "center")
    left, right = cell.get_xlim()
    visible = left <= field.pruned <= right
    if visible:
        cell.axvline(field.pruned, **PRUNED)
    crowded = field.dense < (left + right) / 2
    text = f"pruned, not retrained {field.pruned:.1f}" + ("" if visible else " (off the axis)")
    _note(cell, text, float(crowded), "axes fraction", "right" if crowded else "left")
    for position, (name, row) in enumerate(field.rows.items()):
        color = styles[name].color
        interval(cell, position, row.mean, color)
        cell.plot(
            row.replicates,
            [position] * len(row.replicates),
            linestyle="",
            marker="o",
            markersize=4,
            markerfacecolor="white",
            markeredgecolor=color,
            markeredgewidth=0.8,
        )
        cell.plot(row.mean.mean, position, marker="|", markersize=9, markeredgewidth=2, color=color)


def _differences(cell: Axes, field: Field, styles: Mapping[str, Look]) -> None:
    rows(cell, list(field.rows), labels=False)
    cell.axvline(0, color="#222222", linewidth=0.8)
    for position, (name, row) in enumerate(field.rows.items()):
        if row.difference is None:
            cell.text(0, position, " baseline", va="center", fontsize=7, color=GREY)
            continue
        interval(cell, position, row.difference, styles[name].color)
        cell.plot(
            row.difference.mean, position, marker="o", markersize=4.5, color=styles[name].color
        )


def rows(cell: Axes, names: Sequence[str], labels: bool = True) -> None:
    """Give a panel one row per name, the first on top."""
    cell.set_yticks(range(len(names)), names)
    cell.tick_params(labelleft=labels)
    cell.set_ylim(len(names) - 0.4, -0.6)
    cell.grid(visible=False, axis="y")
    cell.tick_params(axis="y", length=0)
    cell.spines["left"].set_visible(False)


def _note(cell: Axes, text: str, x: float, unit: str, side: str) -> None:
    cell.annotate(
        text,
        (x, 1),
        (0, 2),
        xycoords=(unit, "axes fraction"),
        textcoords="offset points",
        ha=side,
        fontsize=7,
        color=GREY,
    )


def interval(cell: Axes, position: int, value: Estimate, color: str) -> None:
    """Draw an interval into a row, with arrows where it leaves the panel."""
    if not value.has_interval:
        return
    cell.plot([value.low, value.high], [position] * 2, color=color, linewidth=1.6, alpha=0.55)
    left, right = cell.get_xlim()
    for edge, cut, marker in ((left, value.low < left, "<"), (right, value.high > right, ">")):
        if cut:
            cell.plot(edge, position, marker=marker, markersize=4, color=color, clip_on=False)


def _left_extent(field: Field) -> list[tuple[Sequence[float], Estimate]]:
    rows = list(field.rows.values())
    return [((*row.replicates, field.dense), row.mean) for row in rows]


def _right_extent(field: Field) -> list[tuple[Sequence[float], Estimate]]:
    differences = [row.difference for row in field.rows.values() if row.difference]
    zero = Estimate(0.0, 0.0, 1, np.nan, np.nan)
    return [((0.0, value.mean), value) for value in differences] or [((0.0,), zero)]


def limit(cell: Axes, extents: Sequence[tuple[Sequence[float], Estimate]]) -> None:
    """Set a panel's range: all points, and intervals as far as they do not dwarf them."""
    points = np.array([point for values, _ in extents for point in values])
    low, high = points.min(), points.max()
    span = max(high - low, 0.2)
    ends = [end for _, value in extents if value.has_interval for end in (value.low, value.high)]
    left = max(min([low, *ends]), low - 0.5 * span)
    right = min(max([high, *ends]), high + 0.5 * span)
    cell.set_xlim(left - 0.04 * span, right + 0.04 * span)


def _kind(fields: Sequence[Field], confidence: float) -> str:
    repeated = any(row.mean.has_interval for field in fields for row in field.rows.values())
    return f"(mean, {100 * confidence:g} % interval)" if repeated else "(one replicate)"
