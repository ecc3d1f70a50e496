"""Curves by their names in params.yaml, and the momentum that some have of their own."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from stages.pipeline.fault import Fault
from stages.schedules import decays, momentum, prescriptions, published, warmup_decay
from stages.schedules.dense import DenseRates
from stages.schedules.rates import Values

MOST_STEPS = 50_000_000
"""Steps of the longest run; making its curve, which is in memory as a whole, takes some 4 GB."""
Curve = Callable[..., Values]
"""curve(total_steps, steps_per_epoch, dense, *, its own options) -> float64[total_steps]."""
MomentumCurve = Callable[..., Values]
"""momentum(total_steps, dense, **options of the learning-rate curve) -> float64[total_steps]."""

PRESCRIPTIONS: dict[str, Curve] = {
    "asp": prescriptions.asp,
    "cap": prescriptions.cap,
    "cap_gradual": prescriptions.cap_gradual,
    "ice": prescriptions.ice,
    "isomorphic_convnext": prescriptions.isomorphic_convnext,
    "isomorphic_deit": prescriptions.isomorphic_deit,
    "isomorphic_resnet": prescriptions.isomorphic_resnet,
    "minitron": prescriptions.minitron,
    "modelopt": prescriptions.modelopt,
    "nni": prescriptions.nni,
    "pfec": prescriptions.pfec,
    "torch_pruning": prescriptions.torch_pruning,
    "torch_pruning_vit": prescriptions.torch_pruning_vit,
    "torch_pruning_yolo": prescriptions.torch_pruning_yolo,
}
CURVES: dict[str, Curve] = {
    "adaptive_linear": published.adaptive_linear,
    "constant": published.constant,
    "cosine": decays.cosine,
    "exponential": decays.exponential,
    "linear": published.linear,
    "onecycle": published.onecycle,
    "polynomial": decays.polynomial,
    "replay": published.replay,
    "rex": decays.rex,
    "scaled": published.scaled,
    "step": decays.step,
    "stretch": published.stretch,
    "warm_restarts": decays.warm_restarts,
    "warmup_decay": warmup_decay.warmup_decay,
    **PRESCRIPTIONS,
}
ADAPTIVE = frozenset({"adaptive_linear"})
"""Curves that each replicate multiplies by its own `adaptive_scale`."""
BY_EPOCH = frozenset({"replay", "scaled", "step", "warm_restarts", "warmup_decay"})
"""Curves for which the number of steps in an epoch matters."""
FROM_DENSE = frozenset({"replay", "stretch", "asp", "modelopt", "torch_pruning_yolo"})
"""Curves that repeat the dense run's learning rates."""
OWN_MOMENTUM: dict[str, MomentumCurve] = {
    "onecycle": momentum.of_onecycle,
    "replay": momentum.replayed,
    "stretch": momentum.stretched,
    "asp": momentum.stretched,
    "modelopt": momentum.stretched,
    "torch_pruning_yolo": momentum.stretched,
}
"""The momentum of curves that have their own; the others hold that of the dense run's last step."""


def learning_rates(
    name: str, total_steps: int, steps_per_epoch: int, dense: DenseRates, **options: Any
) -> Values:
    """Return the learning rates of the named curve, float64[total_steps]; a Fault if unknown."""
    given = complete(name, options)
    if not (1 <= total_steps <= MOST_STEPS and steps_per_epoch >= 1):
        raise Fault(
            f"{name}: {total_steps} steps at {steps_per_epoch} per epoch; "
            f"allowed: 1 or more, in all up to {MOST_STEPS}"
        )
    return CURVES[name](total_steps, steps_per_epoch, dense, **given)


def own_momentum(name: str) -> MomentumCurve:
    """Return the momentum that the named curve has unless an arm names another."""
    return OWN_MOMENTUM.get(name, momentum.held)


def complete(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options of a curve, missing ones at their defaults; a Fault for an unknown one."""
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
