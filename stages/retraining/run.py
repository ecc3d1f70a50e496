"""One replicate of a retraining arm: the run that it begins with, and the files that it leaves."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from stages.evaluation.cost import cost
from stages.evaluation.measure import measure
from stages.evaluation.moved import moved
from stages.evaluation.outcome import DIVERGED, Outcome, read_divergence, save_outcome
from stages.images.prepared import Prepared
from stages.networks import compact
from stages.networks.building import Spec
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, write_json
from stages.pipeline.guard import Stage
from stages.pipeline.options import options_of
from stages.replicates.precision import placed
from stages.replicates.ranks import by_leader, leads
from stages.replicates.replicate import Outputs, Replicate, training
from stages.replicates.seeds import ADAPT, RETRAIN, stream_seed
from stages.replicates.settings import Compute
from stages.retraining.average import Average
from stages.retraining.plan import FILE, Plan, load_plan, rewound_file, scaled, teacher_file
from stages.retraining.reconstruction import prepare
from stages.retraining.repair import repaired
from stages.retraining.start import starting_point
from stages.retraining.trainable import freeze
from stages.schedules.rates import Rates
from stages.training.averages import AVERAGES
from stages.training.averaging import Averaging
from stages.training.distillation import Teacher
from stages.training.extras import Extras
from stages.training.history import History
from stages.training.loop import Run
from stages.training.optimizer import Optimizer
from stages.training.settings import Recipe
from stages.training.soup import Soup

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
        self,
        pruned: Path,
        number: int,
        data: Prepared,
        scale: float,
        round_number: int = 1,
        state: Mapping[str, Tensor] | None = None,
    ) -> Run:
        """Return the run of a replicate at epoch 0, its learning rates multiplied by `scale`.

        `pruned` holds the folders networks/ and masks/ of what was pruned. Each round of iterative
        pruning trains in a data order of its own; `state` is the optimizer's that it goes on from.
        """
        seed, compute = self.seed + number, self.compute
        recipe = self.plan.technique.recipe(self.recipe)
        start, checkpoint = self.plan.start, rewound_file(self.folder, number)
        kept = self.plan.keeps_state
        begin = starting_point(start, pruned, f"replicate_{number}", checkpoint, seed, kept)
        device = data.mean.device
        network = placed(begin.network, device, compute)
        dense, repair = partial(self._dense, number, device), self.plan.technique.repair
        size = compute.evaluation_batch_size
        network = repaired(network, repair, begin.kept, dense, data, size)
        before = 0.0
        if objective := self.plan.technique.objective:
            files = (
                teacher_file(self.folder, number),
                pruned / "masks" / f"replicate_{number}.safetensors",
            )
            before = prepare(network, files, data, objective, (seed, round_number), compute)
        masks = {name: mask.to(device) for name, mask in begin.masks.items()}
        rates, stream = scaled(self.plan.of_round(round_number), scale), RETRAIN + round_number - 1
        averaging, soup = self._averaging(network, len(rates.lr)), self._soup(network, rates, data)
        drawn = stream_seed(seed, ADAPT, round_number)
        freeze(network, self.plan.technique.trainable, data.classes, masks, drawn)
        held = {name: masks[name] for name, _ in network.named_parameters() if name in masks}
        rest = recipe.decayed, recipe.clip
        optimizer = Optimizer(network, recipe.optimizer, held, state or begin.state, *rest)
        sharpness = self.plan.technique.sharpness
        rho = sharpness.rho if sharpness else 0.0
        extras = Extras(self._teacher(number, device), averaging, rho, soup, before)
        return Run(network, optimizer, data, recipe, rates, seed, stream, masks, compute, extras)

    def _dense(self, number: int, device: torch.device) -> nn.Module:
        """Return the dense network of a replicate."""
        network = compact.load(teacher_file(self.folder, number))
        return placed(network, device, self.compute)

    def _teacher(self, number: int, device: torch.device) -> Teacher | None:
        """Return the dense network of a replicate as a teacher, if the arm has one."""
        key = self.plan.technique.teacher
        if key is None:
            return None
        squared = key.scale == "temperature_squared"
        network = self._dense(number, device)
        return Teacher(network, key.weight, key.temperature, squared, key.task)

    def _averaging(self, network: nn.Module, steps: int) -> Averaging | None:
        """Return the average of a network's weights over so many steps, if the arm has one.

        With adapters it always has: the network in which they are merged, at every step.
        """
        technique = self.plan.technique
        key = technique.average
        if key is None or technique.soup:
            return Averaging(copy.deepcopy(network), np.ones(steps)) if technique.adapts else None
        coefficients = AVERAGES[key.kind](steps, **options_of(key, "kind", Average))
        return Averaging(copy.deepcopy(network), coefficients, key.batchnorm == "reestimate")

    def _soup(self, network: nn.Module, rates: Rates, data: Prepared) -> Soup | None:
        """Return the soup of an arm that is one, whose members have these rates in turn."""
        key = self.plan.technique.soup
        if key is None:
            return None
        greedy, reestimated = key.rule == "greedy", key.batchnorm == "reestimate"
        if greedy and not len(data.validation.labels):
            raise Fault("average.rule is 'greedy', but there are no validation images to judge by")
        return Soup(copy.deepcopy(network), rates.epochs // key.members, greedy, reestimated)


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
    best = history.selected or load_arrays(files["last"])  # of no epoch none is selected
    selected = {name: torch.from_numpy(array) for name, array in best.items()}
    run.result.load_state_dict(selected)
    compact.save(files["selected"], run.result, spec)
    about = {"history": history.columns(), "moved": change, **more}
    about["before_macs"] = run.extras.before
    save_outcome(outcome, measure(files, run.data, run.compute, **about))


def _without_networks(run: Run, history: History, **more: Any) -> Outcome:
    """Return the outcome of a run that diverged: its size, with pruned weights counted as zeros."""
    for name, mask in run.masks.items():
        run.result.get_parameter(name).data.masked_fill_(~mask, 0)
    size = cost(run.result, run.data.shape)
    return Outcome(
        {},
        **asdict(size),
        history=history.columns(),
        diverged=history.diverged,
        before_macs=run.extras.before,
        **more,
    )


def _parameters(run: Run, arrays: Arrays) -> dict[str, np.ndarray]:
    return {name: arrays[name] for name, _ in run.result.named_parameters()}


def spec_of(pruned: Path, number: int) -> Spec:
    """Return the dense architecture of a replicate that was pruned."""
    return compact.read_spec(pruned / "networks" / f"replicate_{number}.safetensors")


def weights_of(pruned: Path, number: int) -> dict[str, np.ndarray]:
    """Return the tensors of a replicate as it was pruned: what pruning left of the dense one's."""
    return load_arrays(pruned / "networks" / f"replicate_{number}.safetensors")
