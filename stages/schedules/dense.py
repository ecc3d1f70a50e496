"""The learning rate and momentum of the dense run, and learning rates named after them."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field

from stages.pipeline.fault import Fault
from stages.schedules.rates import Rates

Named = Literal["max", "last"]
SMALLEST, LARGEST = 1e-30, 1e30
"""Learning rates: the numbers of float32, in which networks train, end at 1e-38 and 1e38."""
LR = Annotated[float, Field(ge=0, le=LARGEST)] | Named
"""A learning rate: a number, or the dense run's largest or last one."""
Peak = Annotated[float, Field(ge=SMALLEST, le=LARGEST)]
"""A number that is a learning rate and cannot be 0."""
PeakLR = Peak | Named
"""A learning rate that cannot be 0."""
Fraction = Annotated[float, Field(ge=0, lt=1)]
"""A fraction of the arm's budget, from 0 up to but not including 1."""

NEAR_ZERO = 1 / 2000  # below three drops by 10, above the end of cosine and one-cycle curves
STEEPEST = 1 / 9  # in one step: linear curves fall to 1/2, cosine to 1/4, cubic to 1/8


@dataclass(frozen=True, eq=False)
class DenseRates(Rates):
    """The dense run's learning rate and momentum at every step."""

    def __post_init__(self) -> None:
        steps = len(self.lr)
        if self.steps_per_epoch < 1 or steps < 1 or steps % self.steps_per_epoch:
            raise Fault(
                f"dense curve: {steps} steps at {self.steps_per_epoch} steps per epoch; "
                "allowed: whole epochs, at least one"
            )
        if len(self.momentum) != steps:
            raise Fault(f"dense curve: {steps} learning rates but {len(self.momentum)} momenta")
        if not (np.isfinite(self.lr).all() and self.lr.min() >= 0 and self.max > 0):
            raise Fault("dense curve: its learning rates must be finite, 0 or more, and not all 0")

    @classmethod
    def constant(cls, lr: float, momentum: float, steps_per_epoch: int, epochs: int = 1) -> Self:
        """Return a run at one learning rate, which both "max" and "last" then mean."""
        steps = epochs * steps_per_epoch
        return cls(np.full(steps, lr), np.full(steps, momentum), steps_per_epoch)

    @property
    def max(self) -> float:
        """eta_max, the largest learning rate."""
        return float(self.lr.max())

    @property
    def last(self) -> float:
        """eta_min, the last step's learning rate."""
        return float(self.lr[-1])

    def at_peak(self, peak: float) -> Self:
        """Return the same run with all learning rates multiplied so that the largest is `peak`."""
        return replace(self, lr=self.lr / self.max * peak)

    def resolve(self, lr: LR, option: str = "lr") -> float:
        """Return a learning rate as a number; `option` is the key named in a Fault.

        "last" is a Fault where the dense curve ends near 0 (cosine, one-cycle, linear): an arm
        would train at a learning rate of nearly 0, and everything would beat it. Near 0 means that
        the last learning rate, or the next one were the curve to fall as in its last step, is
        below 1/2000 of the largest. A fall after a plateau, or to a ninth or less, is the drop of a
        step curve, which does not go on.
        """
        if lr == "max":
            return self.max
        if lr != "last":
            return float(lr)
        *earlier, previous = self.lr[-3:-1].tolist() or [self.last]
        dropped = previous in earlier or self.last <= STEEPEST * previous
        next_lr = self.last if dropped else 2 * self.last - previous
        if min(self.last, next_lr) < NEAR_ZERO * self.max:
            raise Fault(
                f"{option}: 'last' is {self.last:.2g}, because the dense curve ends near 0; "
                f"allowed here: a number such as {self.max / 100:.2g}"
            )
        return self.last
