"""The best peak of a learning-rate curve, and how it moves with size and budget."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from stages.statistics.estimates import NO_SPREAD

Values = NDArray[np.float64]
Direction = Literal["rises", "falls", "same", "open"]
FEWEST = 3
"""Peaks between which one can be the best of a cell."""
LEAST = 5
"""Replicates from which on there are bands; with fewer, a bootstrap misses too often."""
DRAWS = 4000
APART = 0.25
"""Octaves that a factor must span to be one: sizes that differ by chance are one size."""
HALF_OCTAVE = 0.5
"""A peak that moves by no more than this, a factor of 1.41, over all that was tried stays put."""


@dataclass(frozen=True)
class Cell:
    """One size and budget: accuracies float[peak, replicate] at peaks in rising order.

    `kept` is the share of the network that is left, `budget` that of the dense run's epochs.
    `capped` says that training diverged at a larger peak, so that the best is known to lie below.
    """

    peaks: Values
    scores: Values
    kept: float
    budget: float
    capped: bool = False


@dataclass(frozen=True)
class BestPeak:
    """The best peak of a cell with its band, NaN below LEAST replicates.

    `at_smallest` and `at_largest`: it is an end of what was tried, and the best may lie beyond;
    `low_open` and `high_open` say that of the ends of the band.
    """

    value: float
    low: float
    high: float
    at_smallest: bool
    at_largest: bool
    low_open: bool
    high_open: bool


@dataclass(frozen=True)
class Slope:
    """Octaves by which the best peak moves for each octave of a factor, with an interval.

    `reach` are the octaves of the factor that the cells span. `clipped`: the best peak of some
    cell is an end of what was tried, so that the true slope may be steeper.
    """

    mean: float
    low: float
    high: float
    reach: float
    clipped: bool

    @property
    def direction(self) -> Direction:
        """What is shown: same if the whole interval moves the peak by half an octave at most.

        Sizes and budgets are crossed, so an end of the peaks can flatten a slope, but not turn it:
        only "same" is open where one was reached.
        """
        moved = max(abs(self.low), abs(self.high)) * self.reach
        if moved <= HALF_OCTAVE and not self.clipped:
            return "same"
        if self.low > NO_SPREAD:
            return "rises"
        return "falls" if self.high < -NO_SPREAD else "open"


@dataclass(frozen=True)
class Law:
    """log2(best peak) = constant + kept * log2(kept share) + budget * log2(T/E).

    A slope is None where the cells hardly differ in its factor.
    """

    constant: float
    kept: Slope | None
    budget: Slope | None


def best_peak(cell: Cell, confidence: float) -> BestPeak:
    """Return the best peak of a cell; its band is a bootstrap's over replicates (see `_band`)."""
    x, n = np.log2(cell.peaks), cell.scores.shape[1]
    value = float(vertex(x, cell.scores.mean(1)))
    low, high = _band(vertex(x, _weights(n) @ cell.scores.T), n, confidence)
    first, last = float(x[0]) + NO_SPREAD, float(x[-1]) - NO_SPREAD
    return BestPeak(
        value=2.0**value,
        low=2.0**low,
        high=2.0**high,
        at_smallest=value <= first,
        at_largest=value >= last and not cell.capped,
        low_open=low <= first,
        high_open=high >= last and not cell.capped,
    )


def peak_law(cells: Sequence[Cell], confidence: float) -> Law | None:
    """Fit the law to the best peaks of cells by least squares, intervals as of `best_peak`.

    All cells have the same replicates, which are drawn together. None where sizes and budgets
    change together, or nothing changes, so that the parts of the two cannot be told.
    """
    factors = {
        "kept": np.log2([cell.kept for cell in cells]),
        "budget": np.log2([cell.budget for cell in cells]),
    }
    factors = {name: values for name, values in factors.items() if np.ptp(values) >= APART}
    design = np.column_stack([np.ones(len(cells)), *factors.values()])
    if not factors or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    n = cells[0].scores.shape[1]
    weights, solve = _weights(n), np.linalg.pinv(design).T
    found, drawn = (
        np.column_stack([vertex(np.log2(c.peaks), w @ c.scores.T) for c in cells]) @ solve
        for w in (np.full((1, n), 1 / n), weights)
    )
    bests = [best_peak(cell, confidence) for cell in cells]
    clipped = any(best.at_smallest or best.at_largest for best in bests)
    slopes = {
        name: Slope(
            float(found[0, at]),
            *_band(drawn[:, at], n, confidence),
            reach=float(np.ptp(values)),
            clipped=clipped,
        )
        for at, (name, values) in enumerate(factors.items(), 1)
    }
    return Law(float(found[0, 0]), slopes.get("kept"), slopes.get("budget"))


def vertex(x: Values, means: ArrayLike) -> Values:
    """Return where means float[..., position] are highest; positions x rise, at least FEWEST.

    The vertex of the parabola through the highest mean and its two neighbours, so that what
    happens far from it, where training collapses, takes no part; of equals the middle one. At an
    end it is that end.
    """
    y = np.asarray(means, float)
    at_top = y >= y.max(-1, keepdims=True) - NO_SPREAD
    last = len(x) - 1 - at_top[..., ::-1].argmax(-1)
    top = (at_top.argmax(-1) + last) // 2
    mid = top.clip(1, len(x) - 2)
    left, here, right = (
        np.take_along_axis(y, (mid + step)[..., None], -1)[..., 0] for step in (-1, 0, 1)
    )
    rise, fall = (here - left) / (x[mid] - x[mid - 1]), (here - right) / (x[mid + 1] - x[mid])
    bend = rise + fall
    low, high = (x[mid - 1] + x[mid]) / 2, (x[mid] + x[mid + 1]) / 2
    at = low + (high - low) * rise / np.where(bend > 0, bend, 1)
    found: Values = np.where((mid == top) & (bend > 0), at, x[top])
    return found


def _weights(n: int) -> Values:
    """Return how often each of n replicates is drawn, as shares, float[DRAWS, n]."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), DRAWS) / n


def _band(drawn: Values, n: int, confidence: float) -> tuple[float, float]:
    """Return the expanded percentile interval of a bootstrap (Hesterberg 2015, section 5.3).

    Percentiles at Phi(-sqrt(n/(n - 1)) t), t Student's for n - 1, and from the other end: with few
    replicates, plain ones are too narrow. NaN below LEAST replicates.
    """
    if n < LEAST:
        return math.nan, math.nan
    side = ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + confidence) / 2))
    low, high = np.quantile(drawn, [side, 1 - side])
    return float(low), float(high)
