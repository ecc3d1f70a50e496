"""Warm-up, then decay: the curve of which the published restarts are special cases."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from stages.pipeline.fault import Fault
from stages.pipeline.section import Rising
from stages.schedules import shapes
from stages.schedules.dense import LR, DenseRates, Fraction, PeakLR
from stages.schedules.rates import Values

Factor = Annotated[float, Field(gt=0, le=1)]
Power = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Decay = Literal["cosine", "linear", "step", "exponential", "polynomial", "rex", "constant"]
SHAPES: dict[str, shapes.Shape] = {
    "constant": shapes.constant,
    "cosine": shapes.cosine,
    "exponential": shapes.exponential,
    "linear": shapes.linear,
    "rex": shapes.rex,
    "step": shapes.constant,
}


def warmup_decay(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    initial_lr: LR = "last",
    max_lr: PeakLR = "max",
    final_lr: LR | None = None,
    warmup: Fraction = 0.1,
    warmup_shape: Literal["cosine", "linear"] = "cosine",
    decay: Decay = "cosine",
    drops: Rising[Fraction] = (0.5, 0.75),
    factor: Factor = 0.1,
    power: Power = 2.0,
    granularity: Literal["step", "epoch"] = "step",
) -> Values:
    """Warm up over a fraction of the budget, then decay, with an option for each confound.

    `scaled` and `onecycle` are this curve with some options fixed (Le & Hua 2021, their code).

    Granularity "step" is torch's OneCycleLR: of N steps, max_lr falls on step warmup*N - 1 (which
    need not be whole) and final_lr on step N - 1. "epoch" is Le & Hua's WarmupLR, constant within
    an epoch: of T epochs, max_lr falls on epoch w = int(warmup*T) and final_lr on epoch T - 1.
    initial_lr is that of the first step, at most max_lr.

    Decay "step" multiplies by `factor` at the epochs w + int(drop*(1 - warmup)*T), at either
    granularity. final_lr null keeps every decay at the step decay's end, max_lr*factor^len(drops),
    so that the shape can change alone; a number replaces `factor`. `power` is the polynomial's.
    """
    peak = dense.resolve(max_lr, "max_lr")
    initial = min(dense.resolve(initial_lr, "initial_lr"), peak)
    final = _final(peak, final_lr, dense, decay, len(drops), factor)
    levels = (initial, peak, final)
    fall = shapes.polynomial(power) if decay == "polynomial" else SHAPES[decay]
    both = (SHAPES[warmup_shape], fall)
    epochs = -(-total_steps // steps_per_epoch)
    warm_epochs = int(warmup * epochs)
    if granularity == "epoch":
        held, ticks, joint = steps_per_epoch, epochs, float(warm_epochs)
    else:
        held, ticks, joint = 1, total_steps, warmup * total_steps - 1
    lr = shapes.rise_and_fall(ticks, joint, ticks - 1, levels, both)
    if decay == "step" and drops:
        at = [warm_epochs + int(drop * (1 - warmup) * epochs) for drop in drops]
        share = factor if final_lr is None else (final / peak) ** (1 / len(drops))
        lr *= shapes.drops(ticks, [epoch * (steps_per_epoch // held) for epoch in at], share)
    return np.repeat(lr, held)[:total_steps]


def _final(
    peak: float, final_lr: LR | None, dense: DenseRates, decay: str, drops: int, factor: float
) -> float:
    if final_lr is None:
        return peak * factor**drops
    if decay == "constant" or (decay == "step" and not drops):
        raise Fault(
            f"final_lr: {final_lr} with decay: {decay}, which ends at max_lr; allowed: null"
        )
    final = dense.resolve(final_lr, "final_lr")
    if final == 0 and decay in ("exponential", "step"):
        raise Fault(f"final_lr: 0 with decay: {decay}; allowed: above 0")
    return final
