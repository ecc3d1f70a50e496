"""An arm: the weights it starts from, its learning-rate curve, its momentum."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import floor, isfinite
from typing import Any, Literal

import numpy as np

from stages.pipeline.fault import Fault
from stages.schedules import momentum, registry
from stages.schedules.dense import DenseRates
from stages.schedules.rates import Rates, Values
from stages.schedules.starts import Start


@dataclass(frozen=True)
class Arm:
    """The schedule of a retraining: start, curve with its options, momentum.

    Momentum is a number, "cycled" (0.95 -> 0.85 -> 0.95, lowest where the curve's warm-up ends, or
    after a tenth of the steps for a curve without a warm-up), or None: the curve's own.
    """

    start: Start
    curve: str
    options: Mapping[str, Any] = field(default_factory=dict)
    momentum: float | Literal["cycled"] | None = None

    def rates(self, epochs: int, steps_per_epoch: int, dense: DenseRates) -> Rates:
        """Return the learning rate and momentum of every step of `epochs` epochs.

        Learning rates of an adaptive curve are those at scale 1.
        """
        if not epochs:
            return Rates(np.empty(0), np.empty(0), steps_per_epoch)
        return self.at(epochs * steps_per_epoch, steps_per_epoch, dense)

    def at(self, total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Rates:
        """Return the same for any number of steps; they may end within an epoch."""
        options = registry.complete(self.curve, self.options)
        lr = registry.learning_rates(self.curve, total_steps, steps_per_epoch, dense, **options)
        return Rates(lr, self._momentum(total_steps, dense, options), steps_per_epoch)

    def _momentum(self, total_steps: int, dense: DenseRates, options: Mapping[str, Any]) -> Values:
        if self.momentum is None:
            own = registry.own_momentum(self.curve)
            return own(total_steps, dense, **options)
        if self.momentum == "cycled":
            return momentum.cycled(total_steps, options.get("warmup", 0.1))
        return momentum.constant(total_steps, float(self.momentum))


def rewind_epoch(arm: Arm, epochs: int, dense_epochs: int) -> int | None:
    """Return E - T, the dense epoch whose weights a rewound arm starts from; None for other arms.

    Epoch 0 is the dense run's initialisation. A Fault where T is above E.
    """
    if arm.start != "rewound":
        return None
    if not 1 <= epochs <= dense_epochs:
        raise Fault(f"epochs: {epochs} for a rewound arm; allowed: 1 to {dense_epochs}")
    return dense_epochs - epochs


def scratch_b_epochs(dense_epochs: int, flops_ratio: float) -> int:
    """Return E * dense FLOPs / pruned FLOPs, rounded, halves up (Liu 2019, Scratch-B).

    flops_ratio: dense over pruned FLOPs, 1 or more.
    """
    if not (isfinite(flops_ratio) and flops_ratio >= 1):
        raise Fault(f"scratch_b: dense FLOPs / pruned FLOPs is {flops_ratio}; allowed: 1 or more")
    return floor(dense_epochs * flops_ratio + 0.5)
