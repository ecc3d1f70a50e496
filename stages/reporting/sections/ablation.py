"""From one arm to another, one change at a time: which of them carries the difference."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import fill

import pandas as pd
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.reporting.crossing import keys_in
from stages.reporting.keys import name_of, options_changed, value_of
from stages.reporting.measures import last_test
from stages.reporting.plots import interval, limit, replicate_dots, rows
from stages.reporting.report import Report, Section
from stages.reporting.style import EDGE, GREY, INK, RULES, WIDTH
from stages.reporting.tables import interval_columns, markdown, with_interval
from stages.reporting.words import AGREE, code, level, listed
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate, bonferroni, paired
from stages.statistics.verdicts import Levels, Verdict, verdict

MOST = 30
"""Letters of a line of a row's name."""
NOTHING = "nothing, on this method"
"""What changes where a method has as many rounds as make two budgets one."""
CHANGE, WHOLE = GREY, INK
"""No colour of an arm: what is drawn lies between two of them."""


@dataclass(frozen=True)
class Change:
    """From one arm to the next: the settings that change, the differences by seed, a verdict."""

    first: str
    second: str
    settings: Sequence[str]
    by_seed: "pd.Series[float]"
    difference: Estimate
    confidence: float
    verdict: Verdict

    @property
    def what(self) -> str:
        """The settings that change, as text."""
        return "; ".join(self.settings) or NOTHING

    @property
    def resolved(self) -> bool:
        """Whether it is better or worse by the rule."""
        return self.verdict in ("better", "worse")


@dataclass(frozen=True)
class Ablation:
    """One method's path along `compare.path`: its changes, and all of them at once.

    What is "same" changes less than `margin` points.
    `diverged` are the arms of the path that did: what leads from and to them is not known.
    """

    method: str
    changes: Sequence[Change]
    whole: Change
    margin: float
    diverged: Sequence[str] = ()


def find(report: Report) -> list[Ablation] | None:
    """Return every method's path along `compare.path`; None without one.

    Differences are those of last-epoch test accuracy in points, later arm minus earlier, paired by
    seed. Single changes have Bonferroni-adjusted intervals and verdicts, which hold together at the
    levels asked for.
    """
    names = report.settings.path
    if len(names) < 2:
        return None
    number = len(names) - 1
    return [
        Ablation(
            method,
            [_change(report, method, *pair, number) for pair in pairwise(names)],
            _change(report, method, names[0], names[-1], 1),
            report.settings.margin,
            [name for name in names if report.results.arms[method, name].diverged],
        )
        for method in report.results.methods
    ]


def text(found: Sequence[Ablation]) -> str:
    """What every method's path shows, in words and as a table."""
    caption = "Open dots are replicates, full dots their means, bars the intervals of the table."
    parts = [f"{sentence(ablation)}\n\n{_rows(ablation)}" for ablation in found]
    change, whole = found[0].changes[0], found[0].whole
    note = (
        "Each row is the later arm minus the earlier one, paired by seed. The intervals of single "
        f"changes have {level(change.confidence)} confidence, so that they hold "
        f"{level(whole.confidence)} together; that of the whole has {level(whole.confidence)}. "
        "Verdicts are those of the one rule, at these levels. A "
        "change is measured at its place on the path: in another order its effect may differ."
    )
    return "\n\n".join([caption, *parts, note])


def table(found: Sequence[Ablation]) -> pd.DataFrame:
    """Every change of every method, and the whole path in the method's last row."""
    return pd.DataFrame(
        [
            {
                "method": ablation.method,
                "first": change.first,
                "second": change.second,
                "changes": change.what,
                "replicates": change.difference.n,
                **interval_columns("difference_points", change.difference),
                "difference_points_sd": change.difference.sd,
                "confidence_percent": 100 * change.confidence,
                "verdict": change.verdict,
            }
            for ablation in found
            for change in (*ablation.changes, ablation.whole)
        ]
    )


def figure(found: Sequence[Ablation]) -> Figure:
    """Draw every method's changes: each replicate's difference, the mean and its interval."""
    height = sum(0.3 * (len(ablation.changes) + 1) + 0.35 for ablation in found) + 0.4
    with rc_context(RULES):
        chart = Figure(figsize=(WIDTH, height))
        chart.set_layout_engine("constrained", w_pad=0.06, h_pad=0.04)
        panels = chart.subplots(len(found), 1, squeeze=False, sharex=True).ravel()
        shown = [change for ablation in found for change in (*ablation.changes, ablation.whole)]
        limit(panels[0], [((0.0, *change.by_seed), change.difference) for change in shown])
        for panel, ablation in zip(panels, found, strict=True):
            _draw(panel, ablation)
        panels[-1].set_xlabel("difference in test accuracy, points, paired")
    return chart


def sentence(ablation: Ablation) -> str:
    """What one method's path shows."""
    whole = ablation.whole
    head = (
        f"**From {code(whole.first)} to {code(whole.second)}** on {code(ablation.method)}: "
        f"{with_interval(whole.difference)} points"
    )
    if ablation.diverged:
        return f"{head}; {listed([code(name) for name in ablation.diverged])} diverged."
    if not whole.difference.has_interval:
        return f"{head}, from one replicate, which says nothing about the changes in between."
    return f"{head}. {_carriers(ablation)}"


def _change(report: Report, method: str, first: str, second: str, number: int) -> Change:
    """Judge one of so many changes that are judged together."""
    arms = [report.results.arms[method, name] for name in (first, second)]
    before, after = map(last_test, arms)
    settings = _settings(report, *arms)
    confidence = bonferroni(report.settings.confidence, number)
    levels = Levels(report.levels.difference / number, report.levels.equivalence / number)
    difference = paired(after, before, confidence)
    judged = verdict(difference, report.settings.margin, levels)
    return Change(first, second, settings, after - before, difference, confidence, judged)


def _settings(report: Report, first: ArmResult, second: ArmResult) -> list[str]:
    entries = [report.schedules[arm.schedule] for arm in (first, second)]
    places = options_changed(*(keys_in(report, arm) for arm in (first, second)))
    return [
        f"{name_of(place)}: {' → '.join(value_of(entry, place) for entry in entries)}"
        for place in places
    ]


def _carriers(ablation: Ablation) -> str:
    """Say which changes carry the whole, which are too small to matter, which are undecided."""
    changes = [change for change in ablation.changes if change.settings]
    clear = [change for change in changes if change.resolved]
    parts = [_clear(clear, ablation.whole)] if clear else []
    if small := [change for change in changes if change.verdict == "same"]:
        verb = "changes" if len(small) == 1 else "change"
        parts.append(f"{_names(small)} {verb} less than {ablation.margin:g} points")
    if unsure := [change for change in changes if change.verdict == "undecided"]:
        verb = "is" if len(unsure) == 1 else "are"
        parts.append(f"{_names(unsure)} {verb} undecided ({_spread(unsure)})")
    if idle := [change for change in ablation.changes if not change.settings]:
        pairs = [f"{code(change.first)} and {code(change.second)}" for change in idle]
        parts.append(f"{'; '.join(pairs)} do the same on this method")
    text = "; ".join(parts)
    return f"{text}." if clear else f"{text}, {_unexplained(ablation)}."


def _clear(changes: Sequence[Change], whole: Change) -> str:
    names = listed([f"{_named(each)} {with_interval(each.difference)}" for each in changes])
    verb = "carries" if len(changes) == 1 else "carry"
    return f"{names} {verb} it" if whole.resolved else f"Distinguishable from 0: {names}"


def _unexplained(ablation: Ablation) -> str:
    """Say what it means that no single change is shown to matter."""
    if ablation.whole.resolved:
        return "so this study cannot say which one carries the difference"
    if ablation.whole.verdict == "same":
        return f"and all of these together change less than {ablation.margin:g} points"
    return "and the whole is undecided"


def _names(changes: Sequence[Change]) -> str:
    return listed([_named(each) for each in changes])


def _spread(changes: Sequence[Change]) -> str:
    """Say how large changes may be, or why that is not known."""
    spread = [change.difference for change in changes if not change.difference.coincides]
    if not spread:
        return AGREE
    return f"within ±{max(max(-value.low, value.high) for value in spread):.2f}"


def _named(change: Change) -> str:
    return listed([code(setting) for setting in change.settings]) or NOTHING


def _rows(ablation: Ablation) -> str:
    labels = [*map(_named, ablation.changes), "**all of these**"]
    rows = [
        [name, f"{code(change.first)} → {code(change.second)}", *_numbers(change)]
        for name, change in zip(labels, (*ablation.changes, ablation.whole), strict=True)
    ]
    return markdown(["Change", "Arms", "Points [interval]", "sd over seeds", "n"], rows, left=2)


def _numbers(change: Change) -> list[str]:
    value = change.difference
    return [with_interval(value), f"{value.sd:.2f}" if value.has_interval else "–", f"{value.n}"]


def _draw(panel: Axes, ablation: Ablation) -> None:
    names = [change.what for change in ablation.changes]
    rows(panel, [*(fill(name, MOST) for name in names), "all of these"])
    panel.set_title(ablation.method)
    panel.axvline(0, color=INK, linewidth=0.8)
    panel.axhline(len(ablation.changes) - 0.5, color=EDGE, linewidth=0.7)
    for position, change in enumerate((*ablation.changes, ablation.whole)):
        color = WHOLE if change is ablation.whole else CHANGE
        interval(panel, position, change.difference, color)
        replicate_dots(panel, position, change.by_seed.dropna().tolist(), color)
        panel.plot(change.difference.mean, position, marker="o", markersize=5, color=color)


SECTION = Section("ablation", "One change at a time", find, text, table, figure)
