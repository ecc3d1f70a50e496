"""Better, same, worse or undecided: the one rule by which all pairs are judged."""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from stages.statistics.estimates import NO_SPREAD, Estimate

Verdict = Literal["better", "same", "worse", "undecided"]


@dataclass(frozen=True)
class Levels:
    """How often a verdict may be wrong.

    `difference` is the two-sided level of "better" and "worse"; `equivalence` is that of each of
    the two one-sided tests of "same".
    """

    difference: float = 0.05
    equivalence: float = 0.05


def verdict(value: Estimate, margin: float, levels: Levels) -> Verdict:
    """Judge one paired difference; see `verdicts`."""
    found = verdicts(value.mean, value.sd, value.n, margin, levels).item()
    return cast(Verdict, found)


def verdicts(
    mean: ArrayLike, sd: ArrayLike, n: ArrayLike, margin: float, levels: Levels
) -> NDArray[np.str_]:
    """Judge paired differences of these means and sample standard deviations, by element.

    Same: two one-sided t-tests put the difference inside (-margin, margin) (TOST; Schuirmann
    1987). Better or worse: the two-sided t-interval lies above or below 0. A small difference may
    be both shown and shown to be too small to matter: then it is "same". Everything else is
    undecided, one replicate too, and two that agree to the digit: accuracies are multiples of one
    image, so two differences coincide far more often than 5 % allow to conclude from.
    """
    mean, sd, n = np.asarray(mean), np.asarray(sd), np.asarray(n)
    error = sd / np.sqrt(n)
    outer = stdtrit(n - 1, 1 - levels.difference / 2) * error
    inner = stdtrit(n - 1, 1 - levels.equivalence) * error
    unknown = (n < 2) | ((n == 2) & (sd <= NO_SPREAD))
    same = np.abs(mean) + inner < margin
    return np.select(
        [unknown, same, mean > outer, mean < -outer],
        ["undecided", "same", "better", "worse"],
        "undecided",
    )
