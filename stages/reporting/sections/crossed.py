"""Pruning against schedule: the crossed comparison, never shown alone."""

from collections.abc import Sequence

import pandas as pd

from stages.reporting.cautions import in_words
from stages.reporting.crossing import Comparison, Crossed, cross, is_crossed
from stages.reporting.measures import kept_by, last_test
from stages.reporting.report import Report, Section
from stages.reporting.tables import (
    accuracy,
    interval_columns,
    interval_names,
    markdown,
    with_interval,
)
from stages.reporting.words import code, level, listed, spelled
from stages.results.records import ArmResult
from stages.statistics.verdicts import Verdict

RELATION: dict[Verdict, str] = {
    "better": "is better than",
    "same": "is the same as",
    "worse": "is worse than",
    "undecided": "cannot be told apart from",
}
SAME_SIZE = 1.0
"""Percent of the parameters by which two methods may differ and still prune equally much."""


def find(report: Report) -> tuple[Report, Crossed | None]:
    """Every page has the comparison, or says why there is none."""
    return report, cross(report)


def text(found: tuple[Report, Crossed | None]) -> str:
    """Four cells, their three differences, and what they allow one to say."""
    report, crossed = found
    if crossed is None and report.settings.informed != report.settings.random:
        return (
            f"No arm of {code(report.settings.informed)} with the baseline arm's budget finished: "
            "there is no best schedule, and nothing to compare."
        )
    if crossed is None:
        return (
            f"`compare` names {code(report.settings.informed)} as the informed and the random "
            "method, so pruning methods are not compared."
        )
    parts = [
        _choice(report, crossed),
        _cells(report, crossed),
        _differences(report, crossed),
        "Pruning methods are compared fairly under one schedule only (Le & Hua 2021).",
        _sizes(report),
    ]
    return "\n\n".join(part for part in parts if part)


def table(found: tuple[Report, Crossed | None]) -> pd.DataFrame:
    """The crossed comparison and the two under one schedule: both arms and their difference."""
    report, crossed = found
    arms = report.results.arms
    columns = ["comparison", "first", "second", "differ_in", "replicates"]
    columns += ["first_test_top1_percent_mean", "second_test_top1_percent_mean"]
    rows = [
        {
            "comparison": item.kind,
            "first": "-".join(item.first),
            "second": "-".join(item.second),
            "differ_in": " ".join(item.changes),
            "replicates": item.difference.n,
            "first_test_top1_percent_mean": _mean(arms[item.first]),
            "second_test_top1_percent_mean": _mean(arms[item.second]),
            **interval_columns("difference_points", item.difference),
            "verdict": item.verdict,
        }
        for item in (crossed.all if crossed else [])
    ]
    return pd.DataFrame(rows, columns=[*columns, *interval_names("difference_points"), "verdict"])


def sentence(crossed: Crossed, confidence: float) -> str:
    """What the comparisons allow one to say, the crossed one never without the others."""
    same = [item for item in (crossed.same_baseline, crossed.same_best) if item]
    methods = "; ".join(
        f"with {code(item.first[1])}, {_relation(item, code(item.first[0]), code(item.second[0]))}"
        for item in same
    )
    several = any(item.difference.has_interval for item in crossed.all)
    brackets = f" [{level(confidence)} intervals]" if several else ""
    text = f"**Pruning against schedule**{brackets}. Under one schedule: {methods}."
    if crossed.crossed is None:
        return f"{text} The baseline schedule is the best one, so there is nothing to cross."
    relation = _relation(crossed.crossed, _arm(crossed.crossed.first), _arm(crossed.crossed.second))
    return (
        f"{text} Crossed: {relation}. The crossed comparison mixes "
        f"{spelled(len(crossed.crossed.changes), 'change')}, so it does not rank the pruning "
        "methods."
    )


def _mean(arm: ArmResult) -> float:
    return float(last_test(arm).mean(skipna=False))


def _choice(report: Report, crossed: Crossed) -> str:
    how = f"the mean accuracy of {code(report.settings.informed)} after the last epoch"
    text = f"The best schedule, {code(crossed.best)}, was chosen by {how} on"
    if crossed.chosen_on == "validation":
        return f"{text} **validation** data, among the schedules of the baseline arm's budget."
    return (
        f"{text} **test** data, because there is no validation split: its results below are "
        "biased upwards by that choice."
    )


def _cells(report: Report, crossed: Crossed) -> str:
    settings = report.settings
    names = {settings.baseline: "baseline", crossed.best: "best"}
    if len(names) == 1:
        names = {settings.baseline: "baseline and best"}
    return markdown(
        ["Test accuracy, %", *(f"{code(name)} ({role})" for name, role in names.items())],
        [
            [code(method) if method == role else f"{code(method)} ({role})"]
            + [accuracy(report.results.arms[method, name]) for name in names]
            for method, role in ((settings.informed, "informed"), (settings.random, "random"))
        ],
    )


def _differences(report: Report, crossed: Crossed) -> str:
    return markdown(
        [
            "Comparison",
            "Varies",
            f"Difference, points [{level(report.settings.confidence)} interval]",
        ],
        [
            [
                f"{_arm(item.first)} − {_arm(item.second)}",
                _varies(item.changes),
                with_interval(item.difference),
            ]
            for item in crossed.all
        ],
        left=2,
    )


def _varies(changes: Sequence[str]) -> str:
    number = spelled(len(changes), "change")
    number = f"**{number}**" if is_crossed(changes) else number
    return f"{number}: {listed(in_words(changes))}"


def _arm(arm: tuple[str, str]) -> str:
    return " + ".join(code(name) for name in arm)


def _relation(item: Comparison, first: str, second: str) -> str:
    if not item.difference.known:
        return f"{first} and {second} are not compared, as one diverged"
    value = f"{with_interval(item.difference)} points"
    if not item.difference.has_interval:
        return f"{first} − {second} is {value} from one replicate"
    return f"{first} {RELATION[item.verdict]} {second} ({value})"


def _sizes(report: Report) -> str:
    informed, random = report.settings.informed, report.settings.random
    kept = [kept_by(report.results, method) for method in (informed, random)]
    if abs(kept[0] - kept[1]) <= SAME_SIZE:
        return ""
    return (
        f"> [!WARNING]\n> {code(informed)} keeps {kept[0]:.1f} % of the parameters, "
        f"{code(random)} {kept[1]:.1f} %: the two do not prune equally much."
    )


SECTION = Section("crossed", "Does the schedule outweigh the pruning method?", find, text, table)
