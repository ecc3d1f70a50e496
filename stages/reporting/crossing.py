"""The section on random against careful pruning: never the crossed comparison alone."""

from stages.params.compare import Compare
from stages.reporting.findings import Comparison, Crossed
from stages.reporting.markdown import code, level, mean_sd, table, with_interval
from stages.reporting.measures import kept_by, last_test
from stages.reporting.results import Study

SAME_SIZE = 1.0


def crossing(study: Study, settings: Compare, crossed: Crossed | None) -> str:
    """Four cells, their three differences, and what they allow to be said."""
    if crossed is None:
        return (
            f"`compare` names {code(settings.careful)} as the careful and the random method, "
            "so pruning methods are not compared."
        )
    parts = [
        _choice(settings, crossed),
        _cells(study, settings, crossed),
        _differences(settings, crossed),
        "Pruning methods are compared fairly under one schedule only (Le & Hua 2021).",
        _sizes(study, settings),
    ]
    return "\n\n".join(part for part in parts if part)


def reading(crossed: Crossed, confidence: float) -> str:
    """What the comparisons allow to be said, the crossed one never without the others."""
    same = [item for item in (crossed.same_baseline, crossed.same_best) if item]
    methods = "; ".join(
        f"with {code(item.first[1])}, {_relation(item, code(item.first[0]), code(item.second[0]))}"
        for item in same
    )
    repeated = crossed.same_baseline.difference.has_interval
    brackets = f" [{level(confidence)} intervals]" if repeated else ""
    text = f"**Pruning against schedule**{brackets}. Under one schedule: {methods}."
    if crossed.crossed is None:
        return f"{text} The baseline schedule is the best one, so there is nothing to cross."
    relation = _relation(crossed.crossed, _arm(crossed.crossed.first), _arm(crossed.crossed.second))
    return (
        f"{text} Crossed: {relation}. The crossed comparison mixes two changes, so it does not "
        "rank the pruning methods."
    )


def _choice(settings: Compare, crossed: Crossed) -> str:
    how = f"the mean accuracy of {code(settings.careful)} after the last epoch"
    text = f"The best schedule, {code(crossed.best)}, was chosen by {how} on"
    if crossed.chosen_on == "validation":
        return f"{text} **validation** data, among the schedules of the baseline arm's budget."
    return (
        f"{text} **test** data, because there is no validation split: its results below are "
        "biased upwards by that choice."
    )


def _cells(study: Study, settings: Compare, crossed: Crossed) -> str:
    schedules = list(dict.fromkeys([settings.baseline, crossed.best]))
    names = {settings.baseline: "baseline", crossed.best: "best"}
    if len(schedules) == 1:
        names = {settings.baseline: "baseline and best"}
    header = ["Test accuracy, %", *(f"{code(name)} ({names[name]})" for name in schedules)]
    return table(
        header,
        [
            [code(method) if method == role else f"{code(method)} ({role})"]
            + [mean_sd(last_test(study.arms[method, name])) for name in schedules]
            for method, role in ((settings.careful, "careful"), (settings.random, "random"))
        ],
    )


def _differences(settings: Compare, crossed: Crossed) -> str:
    rows = [("one change: pruning", crossed.same_baseline)]
    if crossed.same_best and crossed.crossed:
        rows += [("one change: pruning", crossed.same_best)]
        rows += [("**two changes**: pruning and schedule", crossed.crossed)]
    unit = f"Difference, points [{level(settings.confidence)} interval]"
    return table(
        ["Comparison", "Varies", unit],
        [
            [f"{_arm(item.first)} − {_arm(item.second)}", varies, with_interval(item.difference)]
            for varies, item in rows
        ],
        left=2,
    )


def _arm(arm: tuple[str, str]) -> str:
    return " + ".join(code(name) for name in arm)


def _relation(item: Comparison, first: str, second: str) -> str:
    value = f"{with_interval(item.difference)} points"
    if not item.difference.has_interval:
        return f"{first} − {second} is {value} from one replicate"
    if item.difference.above_zero:
        return f"{first} is ahead of {second} ({value})"
    if item.difference.below_zero:
        return f"{first} is behind {second} ({value})"
    return f"{first} and {second} cannot be told apart ({value})"


def _sizes(study: Study, settings: Compare) -> str:
    kept = [kept_by(study, method) for method in (settings.careful, settings.random)]
    if abs(kept[0] - kept[1]) <= SAME_SIZE:
        return ""
    return (
        f"> [!WARNING]\n> {code(settings.careful)} keeps {kept[0]:.1f} % of the parameters, "
        f"{code(settings.random)} {kept[1]:.1f} %: the two do not prune equally much."
    )
