"""Momentum curves, float64[total_steps], and those that learning-rate curves have of their own."""

from typing import Any

import numpy as np

from stages.schedules import recorded, shapes
from stages.schedules.dense import DenseRates
from stages.schedules.published import Variant
from stages.schedules.rates import Values


def constant(total_steps: int, value: float) -> Values:
    """One momentum at every step."""
    return np.full(total_steps, value, dtype=np.float64)


def cycled(total_steps: int, warmup: float = 0.1, low: float = 0.85, high: float = 0.95) -> Values:
    """Cycle as torch's OneCycleLR: high, low on step warmup*N - 1, high again on step N - 1."""
    levels, both = (high, low, high), (shapes.cosine, shapes.cosine)
    return shapes.rise_and_fall(
        total_steps, warmup * total_steps - 1, total_steps - 1, levels, both
    )


def held(total_steps: int, dense: DenseRates, **options: Any) -> Values:
    """The momentum of the dense run's last step, at every step: the default of most curves."""
    return constant(total_steps, float(dense.momentum[-1]))


def replayed(total_steps: int, dense: DenseRates, **options: Any) -> Values:
    """The momentum of the dense run's last steps: the default of `replay`."""
    return recorded.tail(dense.momentum, total_steps, dense.steps_per_epoch)


def stretched(total_steps: int, dense: DenseRates, **options: Any) -> Values:
    """The dense run's momentum over another number of steps: the default of `stretch`."""
    return recorded.stretched(dense.momentum, total_steps)


def of_onecycle(
    total_steps: int, dense: DenseRates, *, variant: Variant, warmup: float, **options: Any
) -> Values:
    """Cycled in Le & Hua's code, held in Zimmer's variant: the default of `onecycle`."""
    if variant == "zimmer":
        return held(total_steps, dense)
    return cycled(total_steps, warmup)
