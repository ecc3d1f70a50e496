"""A full factorial: what each key does by itself, what they do together, and in exchange."""

from collections.abc import Sequence
from textwrap import fill

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.effects import label, sentence
from stages.reporting.factorials import Factorial, factorials_of
from stages.reporting.plots import interval, limit, replicate_dots, rows
from stages.reporting.report import Report, Section
from stages.reporting.style import EDGE, GREY, INK, RULES, WIDTH
from stages.reporting.tables import interval_columns, markdown, with_interval
from stages.reporting.words import code, level, listed
from stages.statistics.verdicts import Verdict

MOST = 24
"""Letters of a line of a row's name."""
SIDE: dict[Verdict, str] = {
    "better": "above 0",
    "same": "same",
    "worse": "below 0",
    "undecided": "open",
}


def find(report: Report) -> list[Factorial] | None:
    """Return every method's factorial of the arms in `compare.factorial`; None without any."""
    return (factorials_of(report) or None) if report.settings.factorial else None


def text(found: Sequence[Factorial]) -> str:
    """What every method's factorial says, in words and as a table."""
    first = found[0]
    caption = (
        "Open dots are replicates, full dots their means, bars the intervals of the table, dotted "
        f"lines the margin of {first.settings.margin:g} points."
    )
    each = first.contrasts[0].contrast.confidence
    note = (
        "The effect of a key is the mean over all arms at its high level minus that at its low "
        "one, by seed. An interaction (×) is half the difference of one key's effect between the "
        "two levels of the other: at 0 their effects add up. “Instead of” is the first key's "
        "change without the second's, minus the second's without the first's. "
        f"The {len(first.contrasts)} intervals have {level(each)} confidence each, so that they "
        f"hold {level(first.settings.confidence)} together (Bonferroni); verdicts are those of the "
        "one rule at these levels. What a key changes at one level of another has an interval of "
        "that confidence by itself."
    )
    parts = [f"{sentence(each)}\n\n{_rows(each)}" for each in found]
    if first.others:
        note += (
            f" After {listed([code(name) for name in first.others])} the arms are no full cross: "
            "what a budget comes to depends on the method."
        )
    return "\n\n".join([caption, _levels(first), *parts, note])


def table(found: Sequence[Factorial]) -> pd.DataFrame:
    """Every contrast of every method."""
    return pd.DataFrame(
        [
            {
                "method": factorial.method,
                "contrast": "exchange" if each.contrast.exchange else "effect",
                "keys": " ".join(each.keys),
                "replicates": each.contrast.difference.n,
                **interval_columns("difference_points", each.contrast.difference),
                "difference_points_sd": each.contrast.difference.sd,
                "confidence_percent": 100 * each.contrast.confidence,
                "verdict": each.verdict,
            }
            for factorial in found
            for each in factorial.contrasts
        ]
    )


def figure(found: Sequence[Factorial]) -> Figure:
    """Draw every contrast: each replicate's value, the mean and its interval."""
    height = sum(0.3 * len(each.contrasts) + 0.35 for each in found) + 0.4
    with rc_context(RULES):
        chart = Figure(figsize=(WIDTH, height))
        chart.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04)
        panels = chart.subplots(len(found), 1, squeeze=False, sharex=True).ravel()
        shown = [each.contrast for factorial in found for each in factorial.contrasts]
        limit(panels[0], [((0.0, *c.by_seed.tolist()), c.difference) for c in shown])
        for panel, factorial in zip(panels, found, strict=True):
            _draw(panel, factorial)
        panels[-1].set_xlabel("difference in test accuracy, points")
    return chart


def _levels(factorial: Factorial) -> str:
    factors = zip(factorial.design.factors, factorial.values, strict=True)
    lines = [[code(key), code(low), code(high)] for key, (low, high) in factors]
    return markdown(["Key", "Low", "High"], lines, left=3)


def _rows(factorial: Factorial) -> str:
    lines = [
        [
            label(each),
            with_interval(value := each.contrast.difference),
            f"{value.sd:.2f}" if value.has_interval else "–",
            f"{value.n}",
            SIDE[each.verdict],
        ]
        for each in factorial.contrasts
    ]
    return markdown(["Effect", "Points [interval]", "sd over seeds", "n", "Verdict"], lines)


def _draw(panel: Axes, factorial: Factorial) -> None:
    names = [label(each).replace("`", "") for each in factorial.contrasts]
    rows(panel, [fill(name, MOST) for name in names])
    panel.set_title(factorial.method)
    panel.axvline(0, color=INK, linewidth=0.8)
    for edge in (-factorial.settings.margin, factorial.settings.margin):
        panel.axvline(edge, color=EDGE, linewidth=0.8, linestyle=":")
    panel.axhline(len(factorial.effects) - 0.5, color=EDGE, linewidth=0.7)
    for position, each in enumerate(factorial.contrasts):
        value, color = each.contrast.difference, INK if each.main else GREY
        interval(panel, position, value, color)
        replicate_dots(panel, position, each.contrast.by_seed.tolist(), color)
        panel.plot(value.mean, position, marker="o", markersize=5, color=color)


SECTION = Section("factorial", "Each change with and without the others", find, text, table, figure)
