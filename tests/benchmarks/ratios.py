"""Ratios of contenders that took turns, and what a table says of them."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tqdm import tqdm

Values = Mapping[str, Sequence[float]]


@dataclass(frozen=True)
class Pair:
    """The ratio of one contender to another, by their names, and what it should be."""

    top: str
    bottom: str
    goal: str = ""


@dataclass(frozen=True)
class Row:
    """A ratio over n rounds, and the medians of what it compares."""

    case: str
    setting: str
    ratio: str
    n: int
    median: float
    low: float
    high: float
    goal: str
    top: float
    bottom: float
    unit: str


def alternate(
    contenders: Mapping[str, Callable[[], float]], rounds: int, label: str
) -> dict[str, list[float]]:
    """Measure every contender once a round; return each one's values by round.

    Every round begins with the next contender, so none is always the first.
    """
    names = list(contenders)
    values: dict[str, list[float]] = {name: [] for name in names}
    for turn in tqdm(range(rounds), desc=label, leave=False, disable=None):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            values[name].append(contenders[name]())
    return values


def compare(case: str, setting: str, unit: str, values: Values, pairs: Sequence[Pair]) -> list[Row]:
    """Return a row for each pair: the ratio of each round, its median and range."""
    return [_row(case, setting, unit, values, pair) for pair in pairs]


def _row(case: str, setting: str, unit: str, values: Values, pair: Pair) -> Row:
    top, bottom = values[pair.top], values[pair.bottom]
    ratios = [a / b for a, b in zip(top, bottom, strict=True)]
    return Row(
        case,
        setting,
        f"{pair.top} / {pair.bottom}",
        len(ratios),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
        pair.goal,
        statistics.median(top),
        statistics.median(bottom),
        unit,
    )
