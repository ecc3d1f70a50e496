"""The rounds of iterative pruning: how many, and what each removes."""

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic import Field

Share = Annotated[float, Gt(0), Lt(1)]
Rounds = Annotated[int, Ge(1), Le(1000)] | Annotated[tuple[Share, ...], Field(min_length=1)]
"""The number of rounds, or the share that each removes of what the round before left."""

ROUNDS: Any = Rounds


def number_of(rounds: Rounds) -> int:
    """Return how many rounds there are."""
    return rounds if isinstance(rounds, int) else len(rounds)
