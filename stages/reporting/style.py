"""How every figure looks, and how it becomes the same bytes of SVG each time."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

WIDTH = 8.8
GREY = "#767676"
DENSE: dict[str, Any] = {"color": "#222222", "linewidth": 0.9, "linestyle": (0, (5, 3))}
PRUNED: dict[str, Any] = {"color": GREY, "linewidth": 0.9, "linestyle": (0, (1, 2))}
RULES: Any = {
    "svg.hashsalt": "afterprune",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "axes.labelcolor": "#333333",
    "axes.edgecolor": "#999999",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "figure.facecolor": "white",
}


@dataclass(frozen=True)
class Look:
    """One schedule's colour, dash pattern and marker, the same in every figure."""

    color: str
    dash: Any
    marker: str


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Give each name its look: seven colours of Okabe & Ito (2008), then again with dashes."""
    colors = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D"]
    patterns = [("-", "o"), ((0, (3.5, 1.4)), "s"), ((0, (1, 1.2)), "D")]
    return {
        name: Look(colors[index % 7], *patterns[index // 7 % 3]) for index, name in enumerate(names)
    }


def grid(
    panels: int,
    columns: int,
    height: float,
    head: float = 0.0,
    sharex: bool = False,
    sharey: bool = False,
) -> tuple[Figure, list[Axes]]:
    """Make a figure of `panels` axes in at most `columns` columns, filled row by row.

    A row is `height` inches, a legend above all of them `head` inches.
    """
    rows = math.ceil(panels / columns)
    columns = math.ceil(panels / rows)
    figure = Figure(figsize=(WIDTH, rows * height + head))
    figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04, hspace=0.0)
    subplots = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
    cells = subplots.ravel().tolist()
    for cell in cells[panels:]:
        cell.remove()
    for cell in cells[max(panels - columns, 0) : panels]:
        cell.tick_params(labelbottom=True)
    return figure, cells[:panels]


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
    column = 0.6 + 0.0375 * (max(lengths) + sum(lengths) / len(lengths))
    return math.ceil((len(names) + 1) / max(int(WIDTH / column), 1))


def label(figure: Figure, x: str, y: str) -> None:
    """Name the axes that all panels share."""
    figure.supxlabel(x, fontsize=8.5, color="#333333")
    figure.supylabel(y, fontsize=8.5, color="#333333")


def settle(figure: Figure) -> None:
    """Lay out a figure for good, on round coordinates.

    The last bits of a layout differ between processes, and the names of clip paths with them.
    """
    with rc_context(RULES):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for cell in figure.axes:
        left, bottom, width, height = (round(float(x), 6) for x in cell.get_position().bounds)
        cell.set_position((left, bottom, width, height))


def svg(figure: Figure) -> str:
    """Draw a figure as SVG without date, version or random identifiers."""
    buffer = io.StringIO()
    settle(figure)
    with rc_context(RULES):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    lines = buffer.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"
