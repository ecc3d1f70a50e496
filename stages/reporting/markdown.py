"""Numbers and lists as a reader wants them, and tables in Markdown."""

from collections.abc import Iterable, Sequence

import pandas as pd

from stages.reporting.statistics import Estimate, estimate


def table(header: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """Lay out a table: the first `left` columns to the left, the others to the right."""
    marks = [":--"] * left + ["--:"] * (len(header) - left)
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, marks, *rows])


def code(name: str) -> str:
    """A name from params.yaml."""
    return f"`{name}`"


def listed(names: Sequence[str], word: str = "and") -> str:
    """Join names as a sentence does: `a`, `b` and `c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def signed(points: float) -> str:
    """A difference in points, with its sign and a true minus."""
    text = f"{abs(points):.2f}"
    if float(text) == 0:
        return text
    return ("+" if points > 0 else "−") + text


def mean_sd(values: pd.Series) -> str:
    """A mean and its sample standard deviation, or the one value; a dash when there is none."""
    summary = estimate(values, 0.95)
    if pd.isna(summary.mean):
        return "–"
    return f"{summary.mean:.2f} ± {summary.sd:.2f}" if summary.n > 1 else f"{summary.mean:.2f}"


def with_interval(value: Estimate) -> str:
    """A difference and its interval in brackets, where there is one."""
    if not value.has_interval:
        return signed(value.mean)
    return f"{signed(value.mean)} [{signed(value.low)}, {signed(value.high)}]"


def level(confidence: float) -> str:
    """A confidence level in percent."""
    return f"{100 * confidence:.4g} %"


def count(number: int, noun: str) -> str:
    """A number and its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
