"""What a paired difference says about a statement, and what several say together."""

from collections.abc import Callable, Iterable
from typing import Literal

from stages.reporting.statistics import Estimate

Verdict = Literal["holds", "does not hold", "cannot be decided"]
Relation = Callable[[Estimate, float], Verdict]
"""relation(difference, margin): a gain below the margin, in points, counts as none."""


def above(value: Estimate, margin: float) -> Verdict:
    """The difference is above 0."""
    return _decided(value.above_zero, value.below_zero)


def below(value: Estimate, margin: float) -> Verdict:
    """The difference is below 0."""
    return _decided(value.below_zero, value.above_zero)


def no_gain(value: Estimate, margin: float) -> Verdict:
    """The difference is surely less than the margin."""
    return _decided(value.high < margin, value.above_zero)


def moved(value: Estimate, margin: float) -> Verdict:
    """The difference is not 0; one that is surely within the margin counts as 0."""
    within = -margin < value.low and value.high < margin
    return _decided(not within and (value.above_zero or value.below_zero), within)


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return "holds" where all do, "does not hold" where one does not."""
    found = set(verdicts)
    return _decided(found == {"holds"}, "does not hold" in found)


def _decided(holds: bool, fails: bool) -> Verdict:
    return "holds" if holds else "does not hold" if fails else "cannot be decided"
