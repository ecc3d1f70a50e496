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
LEAST = 6
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
    `cap` is the smallest larger peak at which training diverged: the best lies below.
    """

    peaks: Values
    scores: Values
    kept: float
    budget: float
    cap: float = math.inf


@dataclass(frozen=True)
class BestPeak:
    """The best peak of a cell with its band, NaN below LEAST replicates.

    `at_smallest` and `at_largest`: it is an end of what was tried, and the best may lie beyond;
    `low_open` and `high_open` say that of the ends of the band; `high_capped`: its upper end is
    the cell's cap, the best being below.
    """

    value: float
    low: float
    high: float
    at_smallest: bool
    at_largest: bool
    low_open: bool
    high_open: bool
    high_capped: bool


@dataclass(frozen=True)
class Slope:
    """Octaves by which the best peak moves for each octave of a factor, with an interval.

    The interval covers all slopes that there may be where the best peak of a cell lies beyond an
    end of what was tried (see `limits`): infinite where nothing bounds it, so that no direction is
    the work of what was tried. `reach` are the octaves of the factor that the cells span.
    """

    mean: float
    low: float
    high: float
    reach: float

    @property
    def direction(self) -> Direction:
        """What is shown: same if the whole interval moves the peak by half an octave at most."""
        if max(abs(self.low), abs(self.high)) * self.reach <= HALF_OCTAVE:
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
    low, high = _band(*limits(cell, _weights(n) @ cell.scores.T), n, confidence)
    low_open, high_open = math.isinf(low), math.isinf(high)
    first, last = float(x[0]), float(x[-1])
    return BestPeak(
        value=2.0**value,
        low=2.0 ** (first if low_open else low),
        high=2.0 ** (last if high_open else high),
        at_smallest=value <= first + NO_SPREAD,
        at_largest=value >= last - NO_SPREAD,
        low_open=low_open,
        high_open=high_open,
        high_capped=not high_open and high >= last - NO_SPREAD,
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
    solve, weights = np.linalg.pinv(design).T, _weights(n)
    found = np.array([vertex(np.log2(c.peaks), c.scores.mean(1)) for c in cells]) @ solve
    ends = [limits(cell, weights @ cell.scores.T) for cell in cells]
    lows, highs = (np.column_stack(end) for end in zip(*ends, strict=True))
    slopes = {
        name: Slope(
            float(found[at]),
            *_band(*_sums(lows, highs, solve[:, at]), n, confidence),
            reach=float(np.ptp(values)),
        )
        for at, (name, values) in enumerate(factors.items(), 1)
    }
    return Law(float(found[0]), slopes.get("kept"), slopes.get("budget"))


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


def limits(cell: Cell, means: ArrayLike) -> tuple[Values, Values]:
    """Return from where to where the best peak may lie, in octaves, by means float[..., peak].

    At the vertex; but where the highest mean is at an end, anywhere from the middle of the last
    two peaks, where the vertex would be if the next were as high, to the cap, or on and on.
    """
    x = np.log2(cell.peaks)
    at = vertex(x, means)
    first, last = at <= x[0] + NO_SPREAD, at >= x[-1] - NO_SPREAD
    low = np.where(first, -np.inf, np.where(last, (x[-2] + x[-1]) / 2, at))
    high = np.where(last, np.log2(cell.cap), np.where(first, (x[0] + x[1]) / 2, at))
    return low, high


def _sums(lows: Values, highs: Values, weights: Values) -> tuple[Values, Values]:
    """Return the smallest and the largest sums of weighted values between lows and highs."""
    used = np.abs(weights) > NO_SPREAD
    lows, highs, weights = lows[:, used], highs[:, used], weights[used]
    return (
        np.where(weights > 0, lows, highs) @ weights,
        np.where(weights > 0, highs, lows) @ weights,
    )


def _weights(n: int) -> Values:
    """Return how often each of n replicates is drawn, as shares, float[DRAWS, n]."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), DRAWS) / n


def _band(lows: Values, highs: Values, n: int, confidence: float) -> tuple[float, float]:
    """Return the expanded percentile interval of a bootstrap (Hesterberg 2015, section 5.3).

    Percentiles at Phi(-sqrt(n/(n - 1)) t), t Student's for n - 1, of what was drawn at the least,
    and from the other end at the most: with few replicates, plain ones are too narrow. NaN below
    LEAST replicates.
    """
    if n < LEAST:
        return math.nan, math.nan
    side = ndtr(-math.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + confidence) / 2))
    low = np.quantile(lows, side, method="lower")
    return float(low), float(np.quantile(highs, 1 - side, method="higher"))
