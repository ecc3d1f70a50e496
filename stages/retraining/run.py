"""One replicate of a retraining arm: the run that it begins with, and the files that it leaves."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from stages.evaluation.cost import cost
from stages.evaluation.measure import measure
from stages.evaluation.moved import moved
from stages.evaluation.outcome import DIVERGED, Outcome, read_divergence, save_outcome
from stages.images.prepared import Prepared
from stages.networks import compact
from stages.networks.building import Spec
from stages.pipeline.files import load_arrays, write_json
from stages.pipeline.guard import Stage
from stages.pipeline.options import options_of
from stages.replicates.precision import placed
from stages.replicates.ranks import by_leader, leads
from stages.replicates.replicate import Outputs, Replicate, training
from stages.replicates.seeds import RETRAIN
from stages.replicates.settings import Compute
from stages.retraining.plan import FILE, Plan, load_plan, rewound_file, scaled, teacher_file
from stages.retraining.start import starting_point
from stages.retraining.technique import Average
from stages.retraining.trainable import freeze
from stages.training.averages import AVERAGES
from stages.training.averaging import Averaging
from stages.training.distillation import Teacher
from stages.training.errors import explained
from stages.training.extras import Extras
from stages.training.history import History
from stages.training.loop import Run
from stages.training.optimizer import Optimizer
from stages.training.recalibration import recalibrated
from stages.training.settings import Recipe

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class ArmRun:
    """A retraining arm: what it shares with all others, and its plan; replicate i has `seed + i`.

    `folder`, METHOD/SCHEDULE, holds the plan, and what the arm needs of the dense run.
    """

    folder: Path
    plan: Plan
    recipe: Recipe
    compute: Compute
    seed: int

    @classmethod
    def read(cls, folder: Path, recipe: Recipe, compute: Compute, seed: int) -> Self:
        """Return the arm whose plan is in `folder`."""
        return cls(folder, load_plan(folder), recipe, compute, seed)

    @property
    def name(self) -> str:
        """Return what people call it."""
        return " ".join(self.folder.parts[-2:])

    def begin(
        self, pruned: Path, number: int, data: Prepared, scale: float, round_number: int = 1
    ) -> Run:
        """Return the run of a replicate at epoch 0, its learning rates multiplied by `scale`.

        `pruned` holds the folders networks/ and masks/ of what was pruned. Each round of iterative
        pruning trains in a data order of its own.
        """
        seed, compute = self.seed + number, self.compute
        recipe = self.plan.technique.recipe(self.recipe)
        start, checkpoint = self.plan.start, rewound_file(self.folder, number)
        kept = self.plan.keeps_state
        begin = starting_point(start, pruned, f"replicate_{number}", checkpoint, seed, kept)
        device = data.mean.device
        network = placed(begin.network, device, compute)
        if self.plan.technique.repair == "batchnorm":
            with explained("compute.evaluation_batch_size"):
                network = recalibrated(network, data, compute.evaluation_batch_size)
        freeze(network, self.plan.technique.trainable, data.classes)
        masks = {name: mask.to(device) for name, mask in begin.masks.items()}
        rest = recipe.decayed, recipe.clip
        optimizer = Optimizer(network, recipe.optimizer, masks, begin.state, *rest)
        rates, stream = scaled(self.plan.rates, scale), RETRAIN + round_number - 1
        sharpness = self.plan.technique.sharpness
        rho = sharpness.rho if sharpness else 0.0
        extras = Extras(self._teacher(number, device), self._averaging(network), rho)
        return Run(network, optimizer, data, recipe, rates, seed, stream, masks, compute, extras)

    def _teacher(self, number: int, device: torch.device) -> Teacher | None:
        """Return the dense network of a replicate as a teacher, if the arm has one."""
        key = self.plan.technique.teacher
        if key is None:
            return None
        network = placed(compact.load(teacher_file(self.folder, number)), device, self.compute)
        squared = key.scale == "temperature_squared"
        return Teacher(network, key.weight, key.temperature, squared)

    def _averaging(self, network: nn.Module) -> Averaging | None:
        """Return the average of a network's weights over this plan, if the arm has one."""
        key = self.plan.technique.average
        if key is None:
            return None
        options = options_of(key, "kind", Average)
        coefficients = AVERAGES[key.kind](len(self.plan.rates.lr), **options)
        return Averaging(copy.deepcopy(network), coefficients, key.batchnorm == "reestimate")


@contextmanager
def retraining(stage: Stage, arm: ArmRun, outputs: Outputs, number: int) -> Iterator[Replicate]:
    """Yield a replicate as `training` does; of the arm's plan it depends on its own part alone."""
    own = {str(arm.folder / FILE): arm.plan.digest_of(number)}
    with training(stage, number, arm.compute, outputs, narrowed=own) as this:
        yield this


def divergence_of(arm: ArmRun, this: Replicate) -> str | None:
    """Return the leader's words on a finished replicate that diverged; None for all others."""
    diverged = read_divergence(this.outcome) if leads() else None
    return f"{arm.name}, replicate {this.number}: {diverged}" if diverged else None


@by_leader
def save_retrained(
    folder: Path, outcome: Path, run: Run, spec: Spec, history: History, left: Arrays, **more: Any
) -> None:
    """Write a finished run: its last network, the one selected on validation, their outcome.

    Of one that diverged no network is kept, but a file that says so. The outcome, which comes last,
    says that all is there; `left` are the dense weights that pruning left, `more` further fields of
    the outcome.
    """
    if history.diverged:
        write_json(folder / DIVERGED, asdict(history.diverged))
        save_outcome(outcome, _without_networks(run, history, **more))
        return
    files = {name: folder / f"{name}.safetensors" for name in ("last", "selected")}
    compact.save(files["last"], run.result, spec)
    trained = _parameters(run, load_arrays(files["last"]))
    change = moved(_parameters(run, left), trained)
    selected = {name: torch.from_numpy(array) for name, array in history.selected.items()}
    run.result.load_state_dict(selected)
    compact.save(files["selected"], run.result, spec)
    about = {"history": history.columns(), "moved": change, **more}
    save_outcome(outcome, measure(files, run.data, run.compute, **about))


def _without_networks(run: Run, history: History, **more: Any) -> Outcome:
    """Return the outcome of a run that diverged: its size, with pruned weights counted as zeros."""
    for name, mask in run.masks.items():
        run.network.get_parameter(name).data.masked_fill_(~mask, 0)
    size = cost(run.network, run.data.shape)
    return Outcome(
        {},
        **asdict(size),
        history=history.columns(),
        diverged=history.diverged,
        **more,
    )


def _parameters(run: Run, arrays: Arrays) -> dict[str, np.ndarray]:
    return {name: arrays[name] for name, _ in run.network.named_parameters()}


def spec_of(pruned: Path, number: int) -> Spec:
    """Return the dense architecture of a replicate that was pruned."""
    return compact.read_spec(pruned / "networks" / f"replicate_{number}.safetensors")


def weights_of(pruned: Path, number: int) -> dict[str, np.ndarray]:
    """Return the tensors of a replicate as it was pruned: what pruning left of the dense one's."""
    return load_arrays(pruned / "networks" / f"replicate_{number}.safetensors")
