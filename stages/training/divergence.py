"""When training has diverged: the one rule, on numbers alone.

A run ends with an epoch whose mean loss, or a weight or statistic after it, is not finite: no later
epoch can mend that. A loss that only explodes may come down again with the learning rate, so it is
judged at the end of the run: whoever has exploded there diverged in the first epoch of that
explosion. Test data takes no part.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Self

EXPLODED = 10.0
"""Mean loss, in that of a network which gives all classes the same chance, that is an explosion."""


@dataclass(frozen=True)
class Divergence:
    """The epoch that diverged, its largest learning rate, its mean loss (None: not finite).

    Epochs count from 1 in each of the `round`s of iterative pruning, and so do these.
    """

    epoch: int
    lr: float
    loss: float | None
    round: int = 1

    def __str__(self) -> str:
        """Say it as the end of a sentence."""
        place = f"epoch {self.epoch}" + (f" of round {self.round}" if self.round > 1 else "")
        loss = "not finite" if self.loss is None else f"{self.loss:.4g}"
        return f"diverged in {place}, at learning rates up to {self.lr:.4g} (mean loss {loss})"

    @classmethod
    def of(cls, fields: Mapping[str, Any] | None) -> Self | None:
        """Return the divergence of these fields, None where there are none."""
        return cls(**fields) if fields else None


@dataclass(frozen=True)
class Chance:
    """What naming one class for every image gets: the accuracy, and its standard error."""

    accuracy: float
    error: float

    @classmethod
    def of(cls, images_by_class: Sequence[int]) -> Self:
        """Return that of images so divided into classes; NaN without images."""
        total = sum(images_by_class)
        if not total:
            return cls(math.nan, math.nan)
        share = max(images_by_class) / total
        return cls(share, math.sqrt(share * (1 - share) / total))


def exploded(
    losses: Sequence[float], accuracies: Sequence[float], classes: int, chance: Chance
) -> int | None:
    """Return the first epoch, from 1, of the explosion that a run ends in; None without one.

    `losses` are mean training losses by epoch, in nats, `accuracies` those on the validation images
    whose `chance` this is (NaN without such images: the loss decides). An epoch has exploded when
    its loss is above EXPLODED * ln(classes), and its accuracy is not above chance by more than its
    standard error.
    """
    limit = EXPLODED * math.log(classes)
    best = chance.accuracy + chance.error
    epochs = zip(reversed(losses), reversed(accuracies), strict=True)
    late = list(takewhile(lambda epoch: epoch[0] > limit and not epoch[1] > best, epochs))
    return len(losses) - len(late) + 1 if late else None
