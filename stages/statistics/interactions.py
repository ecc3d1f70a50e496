"""Whether one factor changes how much another matters: one test, not two p-values."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import fdtrc


@dataclass(frozen=True)
class FTest:
    """F with its degrees of freedom, corrected for unequal variances, and its p-value."""

    statistic: float
    numerator: float
    denominator: float
    p_value: float


def interaction(scores: NDArray[np.float64]) -> FTest | None:
    """Test that the effects of two factors add up; scores float[seed, level, other level].

    The interaction of a two-way analysis of variance with repeated measures, seeds as blocks.
    Degrees of freedom are multiplied by Greenhouse and Geisser's (1959) epsilon, as differences
    need not all have the same variance. With two levels each it is the paired t-test of the
    difference of differences, F = t^2. None below two seeds or levels, or without any variance.
    """
    n, rows, columns = scores.shape
    cells = (rows - 1) * (columns - 1)
    if n < 2 or not cells:
        return None
    means = scores.mean(2, keepdims=True), scores.mean(1, keepdims=True)
    rest = (scores - means[0] - means[1] + scores.mean((1, 2), keepdims=True)).reshape(n, -1)
    covariance = np.cov(rest, rowvar=False)
    spread = float(np.trace(covariance))
    if spread <= 1e-12 * float((scores**2).mean()):
        return None
    epsilon = spread**2 / (cells * float((covariance**2).sum()))
    statistic = n * float((rest.mean(0) ** 2).sum()) / spread
    degrees = epsilon * cells, epsilon * cells * (n - 1)
    return FTest(statistic, *degrees, float(fdtrc(*degrees, statistic)))
