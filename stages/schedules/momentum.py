"""Momentum curves, float64[total_steps], and the one each learning-rate curve brings along."""

from typing import Any

import numpy as np

from stages.schedules import arms, recorded, shapes
from stages.schedules.curve import Values
from stages.schedules.dense import Dense


def constant(total_steps: int, value: float) -> Values:
    """One momentum at every step."""
    return np.full(total_steps, value, dtype=np.float64)


def cycled(total_steps: int, warmup: float = 0.1, low: float = 0.85, high: float = 0.95) -> Values:
    """Cycle as torch's OneCycleLR: high, low on step warmup*N - 1, high again on step N - 1."""
    levels, ways = (high, low, high), (shapes.cosine, shapes.cosine)
    return shapes.rise_and_fall(
        total_steps, warmup * total_steps - 1, total_steps - 1, levels, ways
    )


def held(total_steps: int, dense: Dense, **options: Any) -> Values:
    """The momentum that the dense run ended with, at every step: the default of most curves."""
    return constant(total_steps, float(dense.momentum[-1]))


def replayed(total_steps: int, dense: Dense, **options: Any) -> Values:
    """The dense run's last momenta: the default of `replay`."""
    return recorded.tail(dense.momentum, total_steps, dense.steps_per_epoch)


def stretched(total_steps: int, dense: Dense, **options: Any) -> Values:
    """The dense run's momenta over another number of steps: the default of `stretch`."""
    return recorded.stretched(dense.momentum, total_steps)


def of_onecycle(
    total_steps: int, dense: Dense, *, reading: arms.Reading, warmup: float, **options: Any
) -> Values:
    """Cycled in the authors' code, held in Zimmer's: the default of `onecycle`."""
    if reading == "zimmer":
        return held(total_steps, dense)
    return cycled(total_steps, warmup)
