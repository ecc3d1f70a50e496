"""Parts that several figures share: panels, a legend, rows of arms, intervals, learning rates."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from stages.reporting.report import Report
from stages.reporting.style import DENSE, GREY, PAPER, SIZE, WIDTH, Look, looks
from stages.reporting.words import true_minus
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate


@dataclass(frozen=True)
class SampledCurve:
    """Learning rate and momentum at some epochs (fractions allowed) of a run."""

    epoch: Sequence[float]
    lr: Sequence[float]
    momentum: Sequence[float]
    diverged: bool = False


def sampled(arm: ArmResult) -> SampledCurve:
    """An arm's learning rate and momentum by epoch."""
    points = arm.points
    epochs = [step / arm.steps_per_epoch for step in points.step]
    return SampledCurve(epochs, points.lr, points.momentum, bool(arm.diverged))


def styles(report: Report) -> dict[str, Look]:
    """The look of every schedule, and of every line that joins schedules."""
    by_line = looks(report.lines)
    members = {name: by_line[line] for line, names in report.lines.items() for name in names}
    return members | by_line


def lr_axis(curves: Iterable[SampledCurve]) -> tuple[bool, float, float]:
    """Return whether an axis of these learning rates is logarithmic, and its two ends.

    Curves that diverged do not stretch it, where there are others.
    """
    curves = list(curves)
    finished = [curve for curve in curves if not curve.diverged]
    rates = np.concatenate([curve.lr for curve in finished or curves])
    top = float(rates.max())
    positive = rates[rates > 0]
    if not positive.size or top / positive.min() <= 30:
        return False, -0.04 * top, 1.1 * top or 1.0
    return True, max(float(positive.min()), 1e-5 * top) / 1.6, 1.6 * top


def grid(
    count: int,
    columns: int,
    height: float,
    head: float = 0.0,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `count` panels in at most `columns` columns, filled row by row.

    A row is `height` inches, a legend above all of them `head` inches.
    """
    lines = math.ceil(count / columns)
    columns = math.ceil(count / lines)
    figure = Figure(figsize=(WIDTH, lines * height + head))
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04, hspace=0.0)
    subplots = figure.subplots(lines, columns, squeeze=False, sharex=sharex, sharey=sharey)
    panels = subplots.ravel().tolist()
    for panel in panels[count:]:
        panel.remove()
    for panel in panels[max(count - columns, 0) : count]:
        panel.tick_params(labelbottom=True)
    return figure, panels[:count]


def legend(figure: Figure, styles: Mapping[str, Look]) -> None:
    """Put a legend of lines above all panels, the dense network last."""
    handles = [
        Line2D([], [], color=look.color, linestyle=look.dash, label=name)
        for name, look in styles.items()
    ]
    handles.append(Line2D([], [], **DENSE, label="dense network"))
    rows = _legend_rows(list(styles))
    columns = math.ceil(len(handles) / rows)
    figure.legend(handles=handles, loc="outside upper left", ncols=columns, handlelength=2.4)


def legend_height(names: Sequence[str]) -> float:
    """Inches that the legend of these names takes."""
    return 0.2 * _legend_rows(names) + 0.1


def _legend_rows(names: Sequence[str]) -> int:
    lengths = [len(name) for name in [*names, "dense network"]]
    column = 0.6 + 0.04 * (max(lengths) + sum(lengths) / len(lengths))
    return math.ceil((len(names) + 1) / max(int(WIDTH / column), 1))


def label(figure: Figure, x: str, y: str, head: float = 0.0) -> None:
    """Name the axes that all panels share, below `head` inches of legend."""
    figure.supxlabel(x, fontsize=SIZE)
    figure.supylabel(y, fontsize=SIZE, y=(1 - head / figure.get_figheight()) / 2)


def rows(panel: Axes, names: Sequence[str], labels: bool = True) -> None:
    """Give a panel one row per name, the first on top."""
    panel.set_yticks(range(len(names)), names)
    panel.tick_params(labelleft=labels)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")
    panel.tick_params(axis="y", length=0)
    panel.spines["left"].set_visible(False)


def floor(values: Iterable[float]) -> float | None:
    """Return the lowest value that an axis shows where it cuts lower ones off; None for no cut.

    Up to one in eight is cut, as few as it takes, where that leaves a quarter of the axis or less:
    else what fails would hide how all others differ.
    """
    order = sorted(value for value in values if not math.isnan(value))
    for cut in range(1, len(order) // 8 + 1):
        if 4 * (order[-1] - order[cut]) < order[-1] - order[0]:
            return order[cut]
    return None


def cut_note(values: Iterable[float]) -> str:
    """Say that what lies far below is off the axis, where it is; begins with a space."""
    return "" if floor(values) is None else " What lies far below all others is off the axis."


def stand_on_floor(panel: Axes, values: Iterable[float]) -> None:
    """Begin a vertical axis below its `floor`, where it has one."""
    if (lowest := floor(values)) is not None:
        high = panel.dataLim.y1
        room = 0.1 * (high - lowest)
        panel.set_ylim(lowest - room, high + room)


def beyond(panel: Axes, position: int, value: float) -> None:
    """Write the value of a row at the edge that it is cut off by."""
    if value < panel.get_xlim()[0]:
        place = panel.get_yaxis_transform()
        said = true_minus(f"{value:.1f}")
        panel.text(0.03, position, said, va="center", color=GREY, transform=place)


def interval(panel: Axes, position: int, value: Estimate, color: str) -> None:
    """Draw an interval into a row, with arrows where it leaves the panel."""
    if not value.has_interval:
        return
    panel.plot([value.low, value.high], [position] * 2, color=color, linewidth=1.2)
    left, right = panel.get_xlim()
    for edge, cut, marker in ((left, value.low < left, "<"), (right, value.high > right, ">")):
        if cut:
            panel.plot(edge, position, marker=marker, markersize=4, color=color, clip_on=False)


def replicate_dots(panel: Axes, position: int, values: Sequence[float], color: str) -> None:
    """Draw an open dot into a row for every replicate."""
    panel.plot(
        values,
        [position] * len(values),
        linestyle="",
        marker="o",
        markersize=4,
        markerfacecolor=PAPER,
        markeredgecolor=color,
        markeredgewidth=0.8,
    )


def limit(panel: Axes, extents: Sequence[tuple[Sequence[float], Estimate]]) -> None:
    """Set a panel's range: all points, and intervals as far as they do not dwarf them."""
    points = np.array([point for values, _ in extents for point in values])
    low, high = np.nanmin(points), np.nanmax(points)
    span = max(high - low, 0.2)
    ends = [end for _, value in extents if value.has_interval for end in (value.low, value.high)]
    left = max(min([low, *ends]), low - 0.5 * span)
    right = min(max([high, *ends]), high + 0.5 * span)
    panel.set_xlim(left - 0.04 * span, right + 0.04 * span)
