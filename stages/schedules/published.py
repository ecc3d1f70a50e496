"""The learning-rate curves of the published retraining arms, by the names they have there."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from stages.pipeline.fault import Fault
from stages.pipeline.section import Rising
from stages.schedules import recorded, shapes
from stages.schedules.dense import LR, DenseRates, Fraction, PeakLR
from stages.schedules.rates import Values
from stages.schedules.warmup_decay import Factor, warmup_decay

Variant = Literal["code", "zimmer"]
"""Le & Hua's curve as their code has it, or what Zimmer 2023 calls by the same name."""
Divisor = Annotated[float, Field(ge=1, allow_inf_nan=False)]


def constant(
    total_steps: int, steps_per_epoch: int, dense: DenseRates, *, lr: PeakLR = "last"
) -> Values:
    """Fine-tuning: one learning rate for the whole budget (Han 2015).

    Le & Hua's code and Zimmer's FT (2023) are both `lr: last`, eta_min.
    """
    return np.full(total_steps, dense.resolve(lr, "lr"))


def replay(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """Rewinding: the dense run's learning rates of its last T epochs, step by step (Renda 2020).

    A Fault where the arm is longer than the dense run, or has other steps per epoch.
    """
    if steps_per_epoch != dense.steps_per_epoch:
        raise Fault(
            f"replay: {steps_per_epoch} steps per epoch, but the dense run has "
            f"{dense.steps_per_epoch}; allowed: the dense run's batch size and training images"
        )
    return recorded.tail(dense.lr, total_steps, steps_per_epoch)


def stretch(total_steps: int, steps_per_epoch: int, dense: DenseRates) -> Values:
    """Training from scratch: the dense curve over T epochs, also for T above E (Liu 2019).

    Step k of N takes the dense run's step floor(k*M/N) of M: the dense curve itself where N = M.
    """
    return recorded.stretched(dense.lr, total_steps)


def scaled(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    variant: Variant = "code",
    initial_lr: LR = "last",
    max_lr: PeakLR = "max",
    warmup: Fraction = 0.1,
    drops: Rising[Fraction] = (0.5, 0.75),
    factor: Factor = 0.1,
) -> Values:
    """Scaled learning-rate restarting, SLR (Le & Hua 2021): warm-up, then the dense curve squeezed.

    Variant "code": cosine warm-up over w = int(warmup*T) epochs, max_lr at epoch w, times `factor`
    at the epochs w + int(drop*(1 - warmup)*T); constant within an epoch. Their ImageNet recipe has
    drops (0.33, 0.66).
    Variant "zimmer": cosine warm-up from 0 over W = int(warmup*N) steps; then step W + j takes the
    dense run's step int(j*M/(N - W)) of M, its own warm-up replaced by its largest learning rate.
    """
    if variant == "zimmer":
        _unused(initial_lr=initial_lr == "last", drops=drops == (0.5, 0.75), factor=factor == 0.1)
        return _squeezed(total_steps, dense, dense.resolve(max_lr, "max_lr"), warmup)
    return warmup_decay(
        total_steps,
        steps_per_epoch,
        dense,
        initial_lr=initial_lr,
        max_lr=max_lr,
        warmup=warmup,
        decay="step",
        drops=drops,
        factor=factor,
        granularity="epoch",
    )


def onecycle(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    variant: Variant = "code",
    max_lr: PeakLR = "max",
    warmup: Fraction = 0.1,
    div_factor: Divisor = 100.0,
    final_div_factor: Divisor = 100.0,
) -> Values:
    """Cyclic learning-rate restarting, CLR (Le & Hua 2021; Smith & Topin 2019): one cycle.

    Variant "code": torch's OneCycleLR(max_lr, N, pct_start=warmup), per step, from
    max_lr/div_factor on step 0 to max_lr on step warmup*N - 1, down to max_lr/div_factor/
    final_div_factor on step N - 1; its momentum is cycled. Where warmup*N < 1 there is no warm-up,
    as in torch; where it is 1, at which torch divides by 0, step 0 is at max_lr.
    Variant "zimmer": cosine warm-up from 0 to max_lr on step W = int(warmup*N), then cosine down to
    the dense run's last learning rate, however small, reached at N, one step after the end.
    """
    peak = dense.resolve(max_lr, "max_lr")
    if variant == "zimmer":
        _unused(div_factor=div_factor == 100, final_div_factor=final_div_factor == 100)
        joint, both = int(warmup * total_steps), (shapes.cosine, shapes.cosine)
        return shapes.rise_and_fall(total_steps, joint, total_steps, (0, peak, dense.last), both)
    return warmup_decay(
        total_steps,
        steps_per_epoch,
        dense,
        initial_lr=peak / div_factor,
        max_lr=peak,
        final_lr=peak / div_factor / final_div_factor,
        warmup=warmup,
        decay="cosine",
        granularity="step",
    )


def linear(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    max_lr: PeakLR = "max",
    warmup: Fraction = 0.1,
) -> Values:
    """Linear learning-rate restarting, LLR (Zimmer 2023): cosine warm-up from 0, then linear to 0.

    With W = int(warmup*N) of N steps: max_lr*(1 - cos(pi*k/W))/2 for k < W, and
    max_lr*(1 - (k - W)/(N - W)) from step W on: max_lr/(N - W) on the last step, 0 one step later.
    """
    levels = (0.0, dense.resolve(max_lr, "max_lr"), 0.0)
    both = (shapes.cosine, shapes.linear)
    return shapes.rise_and_fall(total_steps, int(warmup * total_steps), total_steps, levels, both)


def adaptive_linear(
    total_steps: int,
    steps_per_epoch: int,
    dense: DenseRates,
    *,
    max_lr: PeakLR = "max",
    warmup: Fraction = 0.1,
) -> Values:
    """Adaptive linear restarting, ALLR (Zimmer 2023): `linear` at scale 1.

    Its peak depends on how far pruning moved each replicate, which multiplies the learning rates by
    its own `adaptive_scale`.
    """
    return linear(total_steps, steps_per_epoch, dense, max_lr=max_lr, warmup=warmup)


def _squeezed(total_steps: int, dense: DenseRates, peak: float, warmup: float) -> Values:
    joint = int(warmup * total_steps)
    levels, both = (0.0, peak, peak), (shapes.cosine, shapes.constant)
    lr = shapes.rise_and_fall(total_steps, joint, total_steps, levels, both)
    lr[joint:] = peak * (recorded.squeezed(dense.lr, total_steps - joint) / dense.max)
    return lr


def _unused(**at_default: bool) -> None:
    for option, unchanged in at_default.items():
        if not unchanged:
            raise Fault(
                f"{option}: variant zimmer has no such option; remove it, or use variant: code"
            )
