"""From a schedule of params.yaml to the plan of an arm."""

from dataclasses import dataclass
from pathlib import Path

from stages.pipeline.files import link_or_copy
from stages.retraining.plan import Plan, in_turn, rewound_file, save_plan, teacher_file
from stages.retraining.settings import Schedule
from stages.schedules.adaptive import adaptive_scale
from stages.schedules.arm import rewind_epoch
from stages.schedules.dense import DenseRates
from stages.schedules.rates import joined
from stages.schedules.registry import ADAPTIVE


@dataclass(frozen=True)
class Pruning:
    """What pruning did, as far as a plan depends on it.

    `macs_ratio` is dense over pruned MACs; `distances` and `fractions` are d and s of
    `adaptive_scale`, by replicate. There are `rounds` of pruning, and these are of the first.
    """

    macs_ratio: float
    distances: tuple[float, ...]
    fractions: tuple[float, ...]
    rounds: int = 1


def plan_arm(schedule: Schedule, epochs: int, dense: DenseRates, pruning: Pruning) -> Plan:
    """Return the plan of a schedule after a pruning; `epochs` is retrain.epochs."""
    arm = schedule.arm()
    rounds = schedule.split(
        schedule.budget(epochs, dense.epochs, pruning.macs_ratio), pruning.rounds
    )
    technique = schedule.technique()
    if pruning.rounds == 1:
        technique = technique.model_copy(update={"restart": "per_round"})
    goes_on = technique.restart == "never"
    shared = goes_on or len(set(rounds)) > 1
    curves = schedule.curves(rounds)
    known, factors = schedule.of_dense(dense), schedule.soup.factors if schedule.soup else [1.0]
    drawn = [in_turn(arm.rates(n, dense.steps_per_epoch, known), factors) for n in curves]
    scale: tuple[float, ...] = ()
    if arm.curve in ADAPTIVE:
        moved = zip(pruning.distances, pruning.fractions, strict=True)
        scale = tuple(adaptive_scale(d, s, rounds[0], dense.epochs) for d, s in moved)
    return Plan(
        start=arm.start,
        curve=arm.curve,
        rates=joined(drawn) if shared else drawn[0],
        dense_epochs=dense.epochs,
        rewound_epoch=rewind_epoch(arm, rounds[0], dense.epochs),
        scale=scale,
        technique=technique,
        rounds=tuple(len(factors) * length for length in rounds) if shared else (),
    )


def write_arm(folder: Path, plan: Plan, checkpoints: Path, dense: Path, replicates: int) -> None:
    """Write an arm's plan, and beside it what it needs of each replicate's dense run.

    Those are the checkpoint that it takes weights or slots from, and the dense network itself where
    that teaches or is repaired by.
    """
    save_plan(folder, plan)
    for number in range(replicates):
        name = f"replicate_{number}"
        if plan.checkpoint_epoch is not None:
            source = checkpoints / name / f"epoch_{plan.checkpoint_epoch:04d}.safetensors"
            _link(source, rewound_file(folder, number))
        if plan.technique.needs_dense:
            _link(dense / f"{name}.safetensors", teacher_file(folder, number))


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    link_or_copy(source, target)
