"""What must hold of the schedules: each curve can be computed, each arm can start."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from stages.pipeline.fault import Fault
from stages.pipeline.section import MOST_EPOCHS
from stages.retraining.settings import Schedule
from stages.schedules.arm import rewind_epoch
from stages.schedules.dense import LR, DenseRates
from stages.schedules.rates import Rates
from stages.schedules.registry import ADAPTIVE
from stages.study.settings import Study, lengths

NOMINAL_STEPS = 10


class OfAnother(DenseRates):
    """The dense run's rates for an arm whose optimizer is of another kind: they have no names."""

    def resolve(self, lr: LR, option: str = "lr") -> float:
        """Return a learning rate that is a number; a Fault for one of the dense run's."""
        if isinstance(lr, str):
            raise Fault(
                f"{option} is {lr!r}, a learning rate for the dense run's optimizer; the arm's is "
                "of another kind, so it should be a number, or the arm should have a peak"
            )
        return super().resolve(lr, option)


def faults_of_schedules(study: Study) -> Iterator[str]:
    """Compute every curve at a few steps per epoch; yield what keeps one from being computed."""
    train = study.train
    yield from _milestones("train.schedule", train.schedule, train.epochs, "the dense run")
    try:
        dense = train.rates(NOMINAL_STEPS)
    except Fault as fault:
        yield f"train.schedule: {fault}"
        return
    for name, schedule in study.retrain.schedules.items():
        yield from _schedule(f"retrain.schedules.{name}", schedule, study, dense)


def _schedule(key: str, schedule: Schedule, study: Study, dense: DenseRates) -> Iterator[str]:
    arm = schedule.arm()
    if schedule.follows_macs:
        if arm.start == "rewound" or arm.curve == "replay":
            yield (
                f"{key}.epochs is {schedule.epochs!r}, longer than the dense run; "
                "allowed with curve: stretch"
            )
            return
        if study.prune.iterative:
            yield (
                f"{key}.epochs is {schedule.epochs!r}, but the MACs of iterative "
                "methods are known after their last round alone; it should be a number"
            )
    if schedule.soup and schedule.soup.rule == "greedy" and not study.data.validation:
        yield (
            f"{key}.average.rule is 'greedy', which validation images decide, and data.validation "
            "is 0; it should be 'uniform', or data.validation above 0"
        )
    yield from _slots(key, schedule, study)
    yield from _going_on(key, schedule, study)
    try:
        for epochs in lengths(schedule, study):
            yield from _milestones(key, schedule, epochs, "the arm")
            if schedule.members * epochs > MOST_EPOCHS:
                yield (
                    f"{key}.average.members is {schedule.members}, each of {epochs} epochs; in all "
                    f"it should be up to {MOST_EPOCHS}"
                )
            rewind_epoch(arm, epochs, study.train.epochs)
            yield from _rates(key, schedule, study, dense, epochs)
    except Fault as fault:
        yield f"{key}: {fault}"


def _rates(
    key: str, schedule: Schedule, study: Study, dense: DenseRates, epochs: int
) -> Iterator[str]:
    """Compute the arm's curve; yield what is wrong between it and the optimizer."""
    shared = study.train.recipe
    optimizer = schedule.recipe(shared).optimizer
    known, other = schedule.of_dense(dense), optimizer.kind != shared.optimizer.kind
    if other and schedule.peak is None:
        known = OfAnother(dense.lr, dense.momentum, dense.steps_per_epoch)
    rates = schedule.arm().rates(epochs, NOMINAL_STEPS, known)
    repeats = _from_dense(schedule, epochs, known, rates)
    if repeats and isinstance(known, OfAnother):
        yield (
            f"{key}.peak is missing; {schedule.arm().curve} takes its learning rates from the "
            f"dense run, whose optimizer is {shared.optimizer.kind!r}, and the arm's is "
            f"{optimizer.kind!r}: it should be the largest of the arm"
        )
    if schedule.peak is not None and not repeats:
        has = "no learning rate of the arm is the dense run's"
        why = has if epochs else "the arm has no epochs"
        yield f"{key}.peak is {schedule.peak:g}, but {why}; leave it out"
    own = schedule.optimizer is not None or schedule.momentum is not None
    if own and getattr(optimizer, "nesterov", False) and 0 in rates.momentum:
        yield f"{key}.momentum is 0; with nesterov: true it should be above 0"


def _from_dense(schedule: Schedule, epochs: int, dense: DenseRates, rates: Rates) -> bool:
    """Whether an arm's learning rates, its `rates` after this dense run, are that run's.

    Those are that move with them. Only rates far from what a float can hold do not double.
    """
    doubled = dense.at_peak(2 * dense.max)
    return not np.array_equal(schedule.arm().rates(epochs, NOMINAL_STEPS, doubled).lr, rates.lr)


def _slots(key: str, schedule: Schedule, study: Study) -> Iterator[str]:
    kind = study.train.recipe.optimizer.kind
    if not schedule.keeps_state(schedule.start):
        return
    if schedule.optimizer and schedule.optimizer.kind != kind:
        yield (
            f"{key}.optimizer.kind is {schedule.optimizer.kind!r}; the arm goes on from the slots "
            f"of the dense run's, so it should be {kind!r}, or state: fresh"
        )
    if schedule.adapts:
        yield (
            f"{key}.trainable has masked_lora, whose adapters have no slots in the dense run; "
            "the arm should have state: fresh"
        )
    if schedule.start == "fresh":
        yield f"{key}.state is 'kept'; with start: fresh it should be 'fresh'"
    if schedule.start == "final" and study.prune.iterative:
        yield (
            f"{key}.state is 'kept', but after round 1 of an iterative method the dense run's "
            "slots are not those of the weights; it should be 'fresh'"
        )


def _going_on(key: str, schedule: Schedule, study: Study) -> Iterator[str]:
    """Yield what cannot run on from round to round, where a method prunes in rounds."""
    if schedule.restart == "per_round" or not study.prune.iterative:
        return
    curve = schedule.arm().curve
    if schedule.start != "final":
        yield f"{key}.start is {schedule.start!r}; with restart: never it should be 'final'"
    if curve in ADAPTIVE:
        yield f"{key}.restart is 'never'; {curve} follows the pruning of each round: 'per_round'"
    if schedule.adapts:
        yield (
            f"{key}.trainable has masked_lora, whose adapters are drawn anew in each round; with "
            "restart: never the optimizer's slots go on, so leave one of them out"
        )
    if schedule.average:
        yield f"{key}.average: with restart: never weights go on, not their average; leave it out"
    refitting = {"objective": schedule.objective, "repair": schedule.repair == "variance"}
    for name in (name for name, refits in refitting.items() if refits):
        yield (
            f"{key}.{name} refits the weights in each round; with restart: never the optimizer's "
            "slots go on, which are of the weights before, so leave one of them out"
        )


def _milestones(key: str, schedule: Any, epochs: int, run: str) -> Iterator[str]:
    last = max(schedule.arm().options.get("milestones", ()), default=-1)
    if last >= epochs:
        end = f"ends at epoch {epochs}" if epochs else "has no epochs"
        yield f"{key}.milestones has {last}; {run} {end}"
