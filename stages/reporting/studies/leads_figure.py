"""The figure of one-cycle's leads: one row for each set of dense networks."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from stages.reporting.plots import rows
from stages.reporting.studies.contrasts import Contrast, by_family, named, runs
from stages.reporting.studies.leads import Leads
from stages.reporting.studies.roles import NAMES
from stages.reporting.style import COLORS, EDGE, RULES, WIDTH
from stages.reporting.words import true_minus
from stages.statistics.estimates import Estimate, estimate

STYLES: Mapping[str, tuple[str, str, float]] = {
    "finetune": (COLORS["blue"], "o", -0.13),
    "tuned": (COLORS["vermillion"], "s", 0.13),
}
"""Colour, marker and place in its row of a rival."""
LINEAR = 1.0
"""Points up to which the axis is linear; beyond, it is logarithmic."""
TICKS = (-50, -20, -10, -5, -2, -1, -0.5, 0, 0.5, 1, 2, 5, 10, 20, 50)


def leads_figure(found: Leads) -> Figure:
    """Draw the mean lead over each constant rate, with its interval, by set of dense networks."""
    cases = found.constant
    sets: dict[str, dict[str, Sequence[Contrast]]] = {}
    for rival, leads in cases.items():
        for family in by_family(leads):
            sets.setdefault(family[0].study.networks, {})[rival] = family
    names = [named(next(iter(each.values()))[0].study) for each in sets.values()]
    with rc_context(RULES):
        figure = Figure(figsize=(WIDTH, 0.3 * len(sets) + 0.85))
        figure.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04)
        panel = figure.subplots()
        rows(panel, names)
        panel.axvline(0, color=EDGE, linewidth=0.8)
        for position, each in enumerate(sets.values()):
            for rival, of_rival in each.items():
                _draw(panel, position, rival, _lead(of_rival))
        panel.set_xscale("symlog", linthresh=LINEAR)
        left, right = panel.get_xlim()
        panel.set_xticks([tick for tick in TICKS if left <= tick <= right])
        panel.xaxis.set_major_formatter(lambda points, _: true_minus(f"{points:g}"))
        panel.set_xlabel("points by which one-cycle is ahead")
        figure.legend(
            handles=[_handle(rival) for rival in cases], loc="outside upper left", ncols=2
        )
    return figure


def _lead(family: Sequence[Contrast]) -> Estimate:
    both = runs(family)
    return estimate(both[:, 0] - both[:, 1], 1 - family[0].study.levels.difference)


def _draw(panel: Axes, position: int, rival: str, value: Estimate) -> None:
    color, marker, shift = STYLES[rival]
    panel.plot(value.mean, position + shift, marker=marker, markersize=4.5, color=color)
    if value.has_interval:
        ends = np.array([value.low, value.high])
        panel.plot(ends, [position + shift] * 2, color=color, linewidth=1.2)


def _handle(rival: str) -> Line2D:
    color, marker, _ = STYLES[rival]
    return Line2D([], [], color=color, marker=marker, markersize=4.5, label=f"over {NAMES[rival]}")
