"""How every figure looks, and how it becomes the same bytes of SVG each time."""

import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from stages.reporting.drawing import tidy

WIDTH = 5.5
"""Inches: of a figure that is shown 400 pixels wide, text of SIZE points is at least 9 high."""
SIZE = 9.0
INK, GREY, EDGE, GRID = "#333333", "#666666", "#8a8a8a", "#e4e4e4"
"""Text, lesser text and lines, axes, and what is under the data."""
PAPER = "#ffffff"
DARK = {PAPER: "#0d1117", INK: "#d9dee4", GREY: "#a3abb4", EDGE: "#7d8590", GRID: "#272c33"}
"""What takes the place of these where the reader's screen is dark; the colours of data stay."""
DENSE: dict[str, Any] = {"color": INK, "linewidth": 0.9, "linestyle": (0, (5, 3))}
PRUNED: dict[str, Any] = {"color": GREY, "linewidth": 0.9, "linestyle": (0, (1, 2))}
RULES: Any = {
    "svg.hashsalt": "afterprune",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": SIZE,
    "text.color": INK,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": SIZE,
    "axes.labelcolor": INK,
    "axes.facecolor": PAPER,
    "axes.edgecolor": EDGE,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": EDGE,
    "ytick.color": EDGE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "legend.frameon": False,
    "legend.fontsize": SIZE,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
}


@dataclass(frozen=True)
class Look:
    """One schedule's colour, dash pattern and marker."""

    color: str
    dash: Any
    marker: str


COLORS = {
    "blue": "#1A6AC9",
    "vermillion": "#E17644",
    "green": "#078B5D",
    "purple": "#B275AB",
    "orange": "#CA8500",
    "sky": "#3C9ADF",
    "grey": "#969293",
    "plum": "#973E98",
    "brown": "#835A18",
}
"""Colours that colour-blind readers tell apart, on white and on a dark screen alike.

Those of Okabe & Ito 2008 without yellow, and two more, moved by as little as gives each pair a
difference in CIELAB of 16 in every kind of vision, and each a contrast of 3 to both papers.
"""
UNKNOWN = ("plum", "brown")
"""Colours of schedules that are not in KNOWN."""
PATTERNS: dict[str, tuple[Any, str]] = {
    "solid": ("-", "o"),
    "dashed": ((0, (3.5, 1.4)), "s"),
    "dotted": ((0, (1, 1.2)), "D"),
    "dash-dotted": ((0, (4.5, 1.2, 1, 1.2)), "^"),
}
RARE: dict[str, tuple[Any, str]] = {"long-dashed": ((0, (8, 1.6)), "v")}
"""A pattern that schedules of KNOWN alone have: there are more of them than looks of PATTERNS."""
Key = tuple[str, str]
"""A colour and a pattern."""
KNOWN: dict[str, Key] = {
    "finetune": ("blue", "solid"),
    "finetune_high": ("blue", "dotted"),
    "finetune_low": ("purple", "dash-dotted"),
    "finetune_tuned": ("blue", "dash-dotted"),
    "weight_rewind": ("vermillion", "solid"),
    "lr_rewind": ("green", "solid"),
    "scaled": ("purple", "solid"),
    "onecycle": ("orange", "solid"),
    "linear": ("sky", "solid"),
    "scratch": ("grey", "solid"),
    "adaptive_linear": ("sky", "dashed"),
    "constant": ("blue", "dashed"),
    "cosine": ("green", "dashed"),
    "exponential": ("vermillion", "dashed"),
    "polynomial": ("orange", "dotted"),
    "rex": ("vermillion", "dotted"),
    "step": ("purple", "dotted"),
    "step_high": ("grey", "dash-dotted"),
    "step_low": ("grey", "dashed"),
    "warm_restarts": ("green", "dotted"),
    "low_end": ("sky", "dash-dotted"),
    "per_step": ("vermillion", "dash-dotted"),
    "constant_averaged": ("purple", "dashed"),
    "constant_taught": ("grey", "dotted"),
    "constant_averaged_taught": ("sky", "dotted"),
    "onecycle_averaged": ("orange", "dashed"),
    "onecycle_taught": ("orange", "dash-dotted"),
    "onecycle_averaged_taught": ("green", "dash-dotted"),
    "onecycle_zimmer": ("orange", "long-dashed"),
    "scaled_zimmer": ("purple", "long-dashed"),
}
"""The looks of the schedules of the presets."""


def looks(names: Iterable[str]) -> dict[str, Look]:
    """Give each schedule its look, which follows from its name, whatever else a study holds.

    A name of KNOWN has the look given there, also with a number of epochs behind it (onecycle_40);
    one that begins with it (onecycle_low) has its colour in another pattern; other names share the
    colours UNKNOWN. Where two names of a study ask for the same look, the second in alphabetical
    order takes the next free one.
    """
    names = list(names)
    chosen: dict[str, Key] = {}
    for name in sorted(names, key=lambda name: (name not in KNOWN, _stem(name) != name, name)):
        keys = list(_preferred(name))
        chosen[name] = next((key for key in keys if key not in chosen.values()), keys[0])
    patterns = PATTERNS | RARE
    return {name: Look(COLORS[chosen[name][0]], *patterns[chosen[name][1]]) for name in names}


def _preferred(name: str) -> Iterator[Key]:
    """Yield every look, the one that the name asks for first."""
    stem = _stem(name)
    if stem in KNOWN:
        yield KNOWN[stem]
    start = zlib.crc32(stem.encode())
    for parent in sorted(KNOWN, key=len, reverse=True):
        if stem == parent or stem.startswith(f"{parent}_"):
            color = KNOWN[parent][0]
            yield from _turned(
                [(color, pattern) for pattern in PATTERNS if pattern != "solid"], start
            )
    # a dark dashed line is the dense network
    own = [key for key in product(UNKNOWN, PATTERNS) if key[1] != "dashed"]
    yield from _turned(own, start)
    yield from product(COLORS, PATTERNS)


def _stem(name: str) -> str:
    """Return a name without the number of epochs at its end."""
    return re.sub(r"_?\d+$", "", name) or name


def _turned(keys: Sequence[Key], start: int) -> list[Key]:
    """Return the keys in a circle, from the one at `start`."""
    first = start % len(keys)
    return [*keys[first:], *keys[:first]]


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (#rrggbb), from 1 to 21 (WCAG 2.2, relative luminance)."""
    bright, dim = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(color: str) -> float:
    channels = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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


def _dark() -> str:
    """Return the rules of CSS that turn paper and ink around: they go by the text of styles."""
    rules = "".join(
        f"[style*='{kind}: {light}']{{{kind}:{dark}!important}}"
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    )
    return f"@media(prefers-color-scheme:dark){{{rules}}}"


def svg(figure: Figure) -> str:
    """Draw a figure as SVG without date, version or random identifiers; on dark screens, dark."""
    buffer = io.StringIO()
    settle(figure)
    with rc_context(RULES):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return tidy(buffer.getvalue().replace("</style>", f"{_dark()}</style>", 1))
