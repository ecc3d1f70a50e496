"""The rounds of iterative pruning: how many, and what each removes."""

from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate
from operator import mul
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Discriminator, Field, Tag

from stages.pipeline.section import Section

Share = Annotated[float, Gt(0), Lt(1)]
Number = Annotated[int, Ge(1), Le(1000)]


class Cubic(Section):
    """Gradual pruning: `steps` rounds, of which the first remove most (Zhu & Gupta 2018, eq. 1).

    After round k s (1 - (1 - k / steps)^3) is gone, up to the s of the allocation in the last.
    """

    kind: Literal["cubic"]
    steps: Number

    def removed(self, final: float) -> tuple[float, ...]:
        """Return the part of the whole network that is gone after each round, exactly rounded."""
        parts = (1 - (1 - Fraction(k, self.steps)) ** 3 for k in range(1, self.steps + 1))
        return tuple(float(Fraction(str(final)) * part) for part in parts)


def _form(value: Any) -> str:
    if isinstance(value, Mapping | Cubic):
        return "cubic"
    return "list" if isinstance(value, tuple | list) else "number"


Rounds = Annotated[
    Annotated[Number, Tag("number")]
    | Annotated[tuple[Share, ...], Field(min_length=1), Tag("list")]
    | Annotated[Cubic, Tag("cubic")],
    Discriminator(_form),
]
"""The number of rounds, the share that each removes of what the round before left, or a `Cubic`."""
ROUNDS: Any = Rounds


def number_of(rounds: Rounds) -> int:
    """Return how many rounds there are."""
    if isinstance(rounds, Cubic):
        return rounds.steps
    return rounds if isinstance(rounds, int) else len(rounds)


def shares(rounds: int | tuple[float, ...], amount: float) -> tuple[float, ...]:
    """Return what each round removes of what the round before left; `amount` is the allocation's.

    It is removed in every round where `rounds` is a number, and replaced where it is a list.
    """
    return (amount,) * rounds if isinstance(rounds, int) else rounds


def removed(rounds: Rounds, amount: float) -> tuple[float, ...]:
    """Return the part of the whole network that is gone after each round."""
    if isinstance(rounds, Cubic):
        return rounds.removed(amount)
    return tuple(1 - left for left in accumulate((1 - s for s in shares(rounds, amount)), mul))
