"""Learning-rate curves in general use, for the dense run and for arms of one's own.

All have an optional linear warm-up from 0 over W = int(warmup*N) of the N steps, with max_lr on
step W, change per step, and reach final_lr at N, one step after the end, as torch's do.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from stages.pipeline.section import Rising
from stages.schedules import shapes
from stages.schedules.dense import LR, DenseRates, Fraction, PeakLR
from stages.schedules.rates import Values
from stages.schedules.warmup_decay import Factor, Power

Epoch = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]


def step(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    milestones: Rising[Epoch],
    factor: Factor = 0.1,
    max_lr: PeakLR = "max",
    warmup: Fraction = 0.0,
) -> Values:
    """Step decay: times `factor` at each milestone, in epochs from the start, warm-up included.

    Milestones 80 and 120: epochs 0..79 at max_lr, 80..119 at a tenth, from 120 at a hundredth.
    """
    peak = dense.resolve(max_lr, "max_lr")
    lr = _warmed(total_steps, warmup, peak, peak, shapes.constant)
    at = [epoch * steps_per_epoch for epoch in milestones]
    return lr * shapes.drops(total_steps, at, factor) if at else lr


def cosine(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    max_lr: PeakLR = "max",
    final_lr: LR = 0.0,
    warmup: Fraction = 0.0,
) -> Values:
    """Cosine decay, torch's CosineAnnealingLR per step (Loshchilov & Hutter 2017).

    Without warm-up, step k of N: final_lr + (max_lr - final_lr)*(1 + cos(pi*k/N))/2.
    """
    peak, final = dense.resolve(max_lr, "max_lr"), dense.resolve(final_lr, "final_lr")
    return _warmed(total_steps, warmup, peak, final, shapes.cosine)


def exponential(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    max_lr: PeakLR = "max",
    final_lr: PeakLR | None = None,
    warmup: Fraction = 0.0,
) -> Values:
    """Exponential decay: max_lr*(final_lr/max_lr)^(k/N) at step k of N; null ends at max_lr/100."""
    peak = dense.resolve(max_lr, "max_lr")
    final = peak / 100 if final_lr is None else dense.resolve(final_lr, "final_lr")
    return _warmed(total_steps, warmup, peak, final, shapes.exponential)


def polynomial(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    power: Power = 2.0,
    max_lr: PeakLR = "max",
    final_lr: LR = 0.0,
    warmup: Fraction = 0.0,
) -> Values:
    """Polynomial decay: final_lr + (max_lr - final_lr)*(1 - k/N)^power; linear at power 1."""
    peak, final = dense.resolve(max_lr, "max_lr"), dense.resolve(final_lr, "final_lr")
    return _warmed(total_steps, warmup, peak, final, shapes.polynomial(power))


def rex(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    max_lr: PeakLR = "max",
    final_lr: LR = 0.0,
    warmup: Fraction = 0.0,
) -> Values:
    """Reflected exponential: max_lr*(1 - z)/(1/2 + (1 - z)/2), z = k/N (Chen 2022, REX)."""
    peak, final = dense.resolve(max_lr, "max_lr"), dense.resolve(final_lr, "final_lr")
    return _warmed(total_steps, warmup, peak, final, shapes.rex)


def warm_restarts(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    period: AtLeastOne = 10,
    multiplier: AtLeastOne = 2,
    max_lr: PeakLR = "max",
    final_lr: LR = 0.0,
    warmup: Fraction = 0.0,
) -> Values:
    """Cosine decay with warm restarts, per step (Loshchilov & Hutter 2017, SGDR).

    The first cycle lasts `period` epochs, each next one `multiplier` times as long; a cycle starts
    at max_lr and reaches final_lr one step after its end, where the next begins.
    """
    peak, final = dense.resolve(max_lr, "max_lr"), dense.resolve(final_lr, "final_lr")
    lr = _warmed(total_steps, warmup, peak, peak, shapes.constant)
    start, length = int(warmup * total_steps), period * steps_per_epoch
    while start < total_steps:
        part = np.arange(min(length, total_steps - start)) / length
        lr[start : start + length] = shapes.along(shapes.cosine, peak, final, part)
        start, length = start + length, length * multiplier
    return lr


def _warmed(
    total_steps: int, warmup: float, peak: float, final: float, shape: shapes.Shape
) -> Values:
    levels, both = (0.0, peak, final), (shapes.linear, shape)
    return shapes.rise_and_fall(total_steps, int(warmup * total_steps), total_steps, levels, both)
