"""The full factorial that some arms of a study are: which keys they cross, and who has which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, product

from stages.pipeline.fault import Fault
from stages.reporting.keys import Keys, differ
from stages.reporting.words import listed

LISTED = "compare.factorial"
LEAST, MOST = 2, 5
"""Factors: one alone has no interaction, and more than five make 32 arms and more."""


@dataclass(frozen=True)
class Design:
    """The keys that are crossed, and by arm whether each of them is at its high level.

    Low is what the first arm has.
    """

    factors: Sequence[str]
    levels: Mapping[str, tuple[bool, ...]]

    def arm(self, *high: str) -> str:
        """Return the arm that is at the high level of these factors alone."""
        wanted = tuple(factor in high for factor in self.factors)
        return next(name for name, levels in self.levels.items() if levels == wanted)


def design_of(arms: Mapping[str, Keys]) -> Design:
    """Return the design of these arms; a Fault where they are no full cross of two-level keys."""
    base, *others = arms.values()
    factors = [key for key in base.values if any(differ(key, base, other) for other in others)]
    for key in factors:
        _check_levels(key, [other for other in others if differ(key, base, other)])
    if not LEAST <= len(factors) <= MOST:
        raise Fault(
            f"{LISTED}: its arms differ in {_keys(factors)}; they should differ in "
            f"{LEAST} to {MOST} keys"
        )
    levels = {name: tuple(differ(k, base, arm) for k in factors) for name, arm in arms.items()}
    _check_full(factors, levels)
    return Design(factors, levels)


def _check_levels(key: str, high: Sequence[Keys]) -> None:
    if any(differ(key, high[0], other) for other in high):
        raise Fault(f"{LISTED}: {key} has more than two values; it should have two")


def _check_full(factors: Sequence[str], levels: Mapping[str, tuple[bool, ...]]) -> None:
    names: dict[tuple[bool, ...], str] = {}
    for name, cell in levels.items():
        if cell in names:
            raise Fault(f"{LISTED}: {names[cell]} and {name} do the same; leave one out")
        names[cell] = name
    for cell in product((False, True), repeat=len(factors)):
        if cell not in names:
            first, unlike = next(iter(levels)), list(compress(factors, cell))
            raise Fault(
                f"{LISTED}: no arm differs from {first} in {_keys(unlike)} alone; a full cross of "
                f"{_keys(factors)} has {2 ** len(factors)} arms"
            )


def _keys(names: Sequence[str]) -> str:
    return listed(names) or "no key"
