"""Tables: data frames as CSV, rows as Markdown, and the cells that both are made of."""

import math
from collections.abc import Iterable, Sequence

import pandas as pd

from stages.reporting.measures import last_test
from stages.reporting.words import signed
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate, estimate

DECIMALS = 3
"""Decimals of every float in the CSV files."""


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV text, floats with fixed decimals, without its index."""
    return fixed(table).to_csv(index=False, lineterminator="\n")


def fixed(table: pd.DataFrame) -> pd.DataFrame:
    """Turn floats into text of fixed decimals, and NaN into an empty cell."""
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: table[name].map(_decimal) for name in floats})


def mean_columns(name: str, values: pd.Series) -> dict[str, float]:
    """The columns of a mean and its sample standard deviation."""
    summary = estimate(values, 0.95)
    return {f"{name}_mean": summary.mean, f"{name}_sd": summary.sd}


def interval_columns(name: str, difference: Estimate) -> dict[str, float]:
    """The columns of a mean and the two ends of its interval."""
    values = (difference.mean, difference.low, difference.high)
    return dict(zip(interval_names(name), values, strict=True))


def interval_names(name: str) -> list[str]:
    """The names of the columns of a mean and its interval."""
    return [f"{name}_mean", f"{name}_low", f"{name}_high"]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Lay out a table: the first `left` columns to the left, the others to the right."""
    marks = [":--"] * left + ["--:"] * (len(header) - left)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, marks, *rows])


def folded(summary: str, body: str) -> str:
    """Markdown that a git host shows as one line until it is opened; `summary` is plain text."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"


def mean_sd(values: pd.Series, decimals: int = 2) -> str:
    """A mean and its sample standard deviation, or the one value; a dash when there is none."""
    summary = estimate(values, 0.95)
    if pd.isna(summary.mean):
        return "–"
    mean = f"{summary.mean:.{decimals}f}"
    return f"{mean} ± {summary.sd:.{decimals}f}" if summary.n > 1 else mean


def accuracy(arm: ArmResult) -> str:
    """An arm's test accuracy after the last epoch, or how many replicates diverged."""
    return diverged(arm) if arm.diverged else mean_sd(last_test(arm))


def diverged(arm: ArmResult) -> str:
    """How many of an arm's replicates diverged."""
    return f"diverged ({len(arm.diverged)} of {len(arm.seeds)})"


def finished(arm: ArmResult) -> str:
    """The n of an arm: its replicates, or how many of them finished."""
    return f"{len(arm.replicates)} of {len(arm.seeds)}" if arm.diverged else f"{len(arm.seeds)}"


def with_interval(value: Estimate) -> str:
    """A difference and its interval in brackets, where there is one; a dash for no difference."""
    if not value.known:
        return "–"
    if not value.has_interval:
        return signed(value.mean)
    return f"{signed(value.mean)} [{signed(value.low)}, {signed(value.high)}]"


def _decimal(value: float) -> str:
    return "" if math.isnan(value) else f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}"
