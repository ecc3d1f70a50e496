"""Curves by the name they have in params.yaml, and the momentum each brings along."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from stages.fault import Fault
from stages.schedules import arms, decays, general, momentum
from stages.schedules.curve import Values
from stages.schedules.dense import Dense

Curve = Callable[..., Values]
"""curve(total_steps, steps_per_epoch, dense, *, its own options) -> float64[total_steps]."""

CURVES: dict[str, Curve] = {
    "adaptive_linear": arms.adaptive_linear,
    "constant": arms.constant,
    "cosine": decays.cosine,
    "exponential": decays.exponential,
    "linear": arms.linear,
    "onecycle": arms.onecycle,
    "polynomial": decays.polynomial,
    "replay": arms.replay,
    "rex": decays.rex,
    "scaled": arms.scaled,
    "step": decays.step,
    "stretch": arms.stretch,
    "warm_restarts": decays.warm_restarts,
    "warmup_decay": general.warmup_decay,
}
ADAPTIVE = frozenset({"adaptive_linear"})
"""Curves that each replicate multiplies by its own `adaptive_scale`."""
MOMENTA: dict[str, Curve] = {
    "onecycle": momentum.of_onecycle,
    "replay": momentum.replayed,
    "stretch": momentum.stretched,
}
"""Own momentum of a curve, from (total_steps, dense, **options); `momentum.held` for the others."""


def curve(
    name: str, total_steps: int, steps_per_epoch: int, dense: Dense, **options: Any
) -> Values:
    """Return the named learning-rate curve, float64[total_steps]; a Fault for an unknown name."""
    given = complete(name, options)
    if total_steps < 1 or steps_per_epoch < 1:
        raise Fault(
            f"{name}: {total_steps} steps at {steps_per_epoch} per epoch; allowed: 1 or more"
        )
    return CURVES[name](total_steps, steps_per_epoch, dense, **given)


def complete(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a curve's options, the missing ones at their defaults; a Fault for an unknown one."""
    if name not in CURVES:
        raise Fault(f"curve: {name!r}; allowed: {', '.join(CURVES)}")
    known = {
        key: option.default
        for key, option in inspect.signature(CURVES[name]).parameters.items()
        if option.kind is option.KEYWORD_ONLY
    }
    for key in options:
        if key not in known:
            raise Fault(f"{key}: no option of curve {name}; allowed: {', '.join(known) or 'none'}")
    whole = {**known, **options}
    for key, value in whole.items():
        if value is inspect.Parameter.empty:
            raise Fault(f"{key}: missing; curve {name} needs it")
    return whole
