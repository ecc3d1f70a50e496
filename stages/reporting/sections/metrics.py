"""Every metric of the result files: those beside accuracy as tables, all of them as CSV."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from stages.reporting.report import Report, Section
from stages.reporting.tables import folded, markdown, mean_sd
from stages.reporting.words import code
from stages.results.files import Results
from stages.results.records import Scores, Splits

DIGITS = 6
"""Significant digits of the CSV: metrics differ in scale."""
DECIMALS = 4
"""Decimals of the page."""
MEANING = {
    "top5": "the top-5 accuracy, a fraction",
    "nll": "the negative log-likelihood in nats, lower is better",
    "brier": "the Brier score, lower is better",
    "ece": "the expected calibration error over 15 bins of equal width, lower is better",
    "adaptive_ece": "the same over bins of equally many images, lower is better",
    "agreement": "the fraction of images for which it predicts what the dense network predicts",
}
"""What the page says of metrics in common use, in its order; others follow by name."""


SHOWN = {"dense": "dense", "pruned": "pruned, not retrained", "last": ""}
"""The networks on the page, by name; an arm has its schedule's."""


@dataclass(frozen=True)
class Values:
    """One metric of one network on one split, a value per replicate, NaN where not finite.

    It is NaN too for those that `diverged`, the last so many.

    `network` is dense, pruned or recalibrated, or an arm's last or selected one; `schedule` is
    empty for the first three and `method` for the dense one.
    """

    method: str
    schedule: str
    network: str
    split: str
    metric: str
    values: "pd.Series[float]"
    diverged: int = 0


def find(report: Report) -> list[Values] | None:
    """Collect the metrics of every network; None where there is accuracy alone."""
    found = list(_collect(report.results))
    return found if any(item.metric != "accuracy" for item in found) else None


def text(found: Sequence[Values]) -> str:
    """One table per metric, folded: networks down, pruning methods across."""
    there = dict.fromkeys(item.metric for item in found if item.metric != "accuracy")
    names = [*(name for name in MEANING if name in there), *(n for n in there if n not in MEANING)]
    head = "On test data, after the last epoch where a network was retrained."
    return "\n\n".join([head, *(folded(_summary(name), _rows(found, name)) for name in names)])


def table(found: Sequence[Values]) -> pd.DataFrame:
    """One row per network and split: mean and sample standard deviation of every metric."""
    rows: dict[tuple[str, ...], dict[str, object]] = {}
    for item in found:
        names = {key: getattr(item, key) for key in ("method", "schedule", "network", "split")}
        counts = {"n": len(item.values), "diverged": item.diverged}
        row = rows.setdefault(tuple(names.values()), names | counts)
        row[f"{item.metric}_mean"] = _digits(item.values.mean(skipna=False))
        row[f"{item.metric}_sd"] = _digits(item.values.std(skipna=False))
    return pd.DataFrame(rows.values())


def _summary(name: str) -> str:
    return f"{name}: {MEANING[name]}" if name in MEANING else name


def _collect(results: Results) -> Iterator[Values]:
    dense = results.dense.replicates
    yield from _metrics(("", "", "dense"), dense, dense)
    for method, pruned in results.pruned.items():
        yield from _metrics((method, "", "pruned"), pruned.replicates, dense)
        yield from _metrics((method, "", "recalibrated"), pruned.recalibrated, dense)
    for names, arm in results.arms.items():
        last, selected = ([getattr(r, n) for r in arm.replicates] for n in ("last", "selected"))
        yield from _metrics((*names, "last"), last, dense, len(arm.diverged))
        yield from _metrics((*names, "selected"), selected, dense, len(arm.diverged))


def _metrics(
    network: tuple[str, str, str],
    replicates: Sequence[Splits],
    dense: Sequence[Splits],
    diverged: int = 0,
) -> Iterator[Values]:
    """Yield the metrics of a network; where all replicates diverged, those that `dense` has."""
    for split in ("validation", "test"):
        scores, known = (_scores(which, split) for which in (replicates, replicates or dense))
        for metric in dict.fromkeys(name for values in known for name in values):
            found = [values.get(metric) for values in scores]
            values = pd.Series([*found, *[math.nan] * diverged], dtype=float)
            yield Values(*network, split, metric, values, diverged)


def _scores(replicates: Iterable[Splits], split: str) -> list[Scores]:
    return [scores for run in replicates if (scores := getattr(run, split))]


def _rows(found: Sequence[Values], metric: str) -> str:
    shown = [i for i in found if (i.metric, i.split) == (metric, "test") and i.network in SHOWN]
    cells = {(SHOWN[item.network] or code(item.schedule), item.method): item for item in shown}
    methods = list(dict.fromkeys(item.method for item in shown if item.method))
    names = dict.fromkeys(name for name, _ in cells)
    rows = [[name, *(_cell(cells, name, method) for method in methods)] for name in names]
    return markdown([code(metric), *map(code, methods)], rows)


def _cell(cells: Mapping[tuple[str, str], Values], name: str, method: str) -> str:
    item = cells.get((name, method)) or cells.get((name, ""))
    if item and item.diverged:
        return f"diverged ({item.diverged} of {len(item.values)})"
    if item is None or item.values.isna().any():
        return "–"
    return mean_sd(item.values, DECIMALS)


def _digits(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.{DIGITS}g}"


SECTION = Section("metrics", "Other metrics", find, text, table)
