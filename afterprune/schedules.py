"""The pipeline's schedules as schedulers of torch, for any trainer that steps one."""

from dataclasses import replace
from math import inf
from numbers import Integral
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.schedules.arm import Arm
from stages.schedules.dense import DenseRates
from stages.schedules.rates import Values
from stages.schedules.registry import BY_EPOCH, FROM_DENSE
from stages.schedules.settings import DENSE_SCHEDULE

BETAS = "betas"


class Schedule(LRScheduler):
    """Sets learning rate and momentum of every step; call `step()` after each optimizer step.

    The attributes `lr` and `momentum` are lists with a number for each step; after the last step
    both stay. Momentum is `momentum` of SGD and the first of Adam's `betas`; an optimizer without
    either keeps what it has. Where it is that of the first parameter group at every step, each
    group keeps its own; else all groups have it. A group whose learning rate was k times that of
    the first keeps k.
    A checkpoint holds the position alone, so make the schedule again before `load_state_dict`,
    which sets learning rate and momentum of that position.
    """

    def __init__(self, optimizer: Optimizer, lr: Values, momentum: Values) -> None:
        _first_lr(optimizer)
        self.lr, self.momentum = lr.tolist(), momentum.tolist()
        self._holds = set(self.momentum) == {_momentum(optimizer.param_groups[0])}
        super().__init__(optimizer)

    def get_lr(self) -> list[float]:  # type: ignore[override]
        """Return the learning rate of each parameter group at this step; set the momentum."""
        at = min(self.last_epoch, len(self.lr) - 1)
        for group in () if self._holds else self.optimizer.param_groups:
            _set_momentum(group, self.momentum[at])
        first = float(self.base_lrs[0])
        return [self.lr[at] * (float(base) / first) for base in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Return the position: numbers alone, which `torch.load(weights_only=True)` reads."""
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to the position that `state_dict()` returned, whatever the optimizer has now."""
        self.go_to(state_dict["last_epoch"])

    def go_to(self, step: int) -> None:
        """Set learning rate and momentum of a step, counted from 0; `step()` goes on from it."""
        if step < 0:
            raise Fault(f"schedule: step is {step}; it should be 0 or more")
        self.last_epoch = step - 1
        self._step_count = 0  # as in a new scheduler, or torch warns that no step was taken before
        self.step()


def schedule(
    curve: str,
    optimizer: Optimizer,
    total_steps: int,
    *,
    steps_per_epoch: int | None = None,
    dense: DenseRates | None = None,
    momentum: float | str | None = None,
    scale: float = 1.0,
    **options: Any,
) -> Schedule:
    """Return a curve of the pipeline, to the bit, as a scheduler of `total_steps` steps.

    `curve` and `options` are those of an entry of `retrain.schedules`, and so is `momentum`: a
    number, "cycled", or None for the curve's own. "max" and "last" are the largest and the last
    learning rate of `dense` (see `dense_rates`); without it "max" is the optimizer's, and "last" is
    not known. `steps_per_epoch` is needed by curves that count in epochs. `scale` multiplies the
    learning rates: that of `adaptive_linear` is `adaptive_scale(...)`.

    A Fault names what is unknown, missing or out of range.
    """
    entry = {"curve": curve, "momentum": momentum, **options}
    arm: Arm = parse(DENSE_SCHEDULE, entry, file="schedule").arm()
    if dense is None:
        _check_without_dense(arm)
    if curve in BY_EPOCH and steps_per_epoch is None:
        raise Fault(f"schedule: {curve} counts in epochs; give steps_per_epoch")
    steps = 1 if steps_per_epoch is None else steps_per_epoch
    _check_whole("schedule", total_steps=total_steps, steps_per_epoch=steps)
    _check_positive("schedule", scale=scale)
    lr, held = _first_lr(optimizer), _momentum(optimizer.param_groups[0])
    rates = arm.at(total_steps, steps, dense or DenseRates.constant(lr, held, 1))
    return Schedule(optimizer, rates.lr * scale, rates.momentum)


def dense_rates(
    curve: str,
    epochs: int,
    steps_per_epoch: int,
    *,
    lr: float,
    momentum: float | str = 0.9,
    **options: Any,
) -> DenseRates:
    """Return how the dense network was trained, as `train.lr` and `train.schedule` describe it.

    `momentum` is that of its optimizer, where the curve has none of its own, or "cycled". A Fault
    names what is unknown, missing or out of range.
    """
    _check_whole("dense_rates", epochs=epochs, steps_per_epoch=steps_per_epoch)
    _check_positive("dense_rates", lr=lr)
    entry = {"curve": curve, "momentum": momentum, **options}
    arm: Arm = parse(DENSE_SCHEDULE, entry, file="dense_rates").arm()
    held = 0.0
    if isinstance(arm.momentum, float):
        held = arm.momentum
        arm = replace(arm, momentum=None)
    base = DenseRates.constant(lr, held, steps_per_epoch, epochs)
    rates = arm.rates(epochs, steps_per_epoch, base)
    return DenseRates(rates.lr, rates.momentum, steps_per_epoch)


def _check_without_dense(arm: Arm) -> None:
    """Raise a Fault where a curve takes more from the dense run than its largest learning rate."""
    if arm.curve in FROM_DENSE or arm.options.get("variant") == "zimmer":
        raise Fault(f"schedule: {arm.curve} follows the dense run; give dense, from dense_rates")
    for option, value in arm.options.items():
        if value == "last":
            raise Fault(f"schedule: {option} is 'last', which the dense run has; give it or dense")


def _check_whole(file: str, **numbers: object) -> None:
    for name, value in numbers.items():
        if not isinstance(value, Integral):
            raise Fault(f"{file}: {name} is {value!r}; it should be a whole number")


def _check_positive(file: str, **numbers: object) -> None:
    for name, value in numbers.items():
        if not (isinstance(value, int | float) and 0 < value < inf):
            raise Fault(f"{file}: {name} is {value!r}; it should be a number above 0")


def _first_lr(optimizer: Optimizer) -> float:
    """Return the first group's own learning rate; a Fault for 0, which has no multiples."""
    group = optimizer.param_groups[0]
    lr = float(group.get("initial_lr", group["lr"]))
    if lr == 0:
        raise Fault(
            "schedule: the first parameter group has learning rate 0; it should be above 0, since "
            "those of the other groups are multiples of it"
        )
    return lr


def _momentum(group: dict[str, Any]) -> float:
    """Return a group's momentum; 0 where its optimizer has none."""
    return float(group[BETAS][0]) if BETAS in group else float(group.get("momentum", 0.0))


def _set_momentum(group: dict[str, Any], value: float) -> None:
    if BETAS in group:
        group[BETAS] = (value, *group[BETAS][1:])
    elif "momentum" in group:
        group["momentum"] = value
