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
    """One schedule's colour, dash pattern and marker."""

    color: str
    dash: Any
    marker: str


COLORS = {
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "grey": "#4D4D4D",
    "indigo": "#332288",
    "maroon": "#661100",
}
"""Colours that colour-blind readers tell apart: Okabe & Ito 2008 without yellow, two of Tol's."""
UNKNOWN = ("indigo", "maroon")
"""Colours of schedules that are not in KNOWN."""
PATTERNS: dict[str, tuple[Any, str]] = {
    "solid": ("-", "o"),
    "dashed": ((0, (3.5, 1.4)), "s"),
    "dotted": ((0, (1, 1.2)), "D"),
    "dash-dotted": ((0, (4.5, 1.2, 1, 1.2)), "^"),
}
Key = tuple[str, str]
"""A colour and a pattern."""
KNOWN: dict[str, Key] = {
    "finetune": ("blue", "solid"),
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
    "polynomial": ("blue", "dotted"),
    "rex": ("vermillion", "dotted"),
    "step": ("purple", "dotted"),
    "warm_restarts": ("green", "dotted"),
    "low_end": ("sky", "dash-dotted"),
    "per_step": ("vermillion", "dash-dotted"),
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
    return {name: Look(COLORS[chosen[name][0]], *PATTERNS[chosen[name][1]]) for name in names}


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
