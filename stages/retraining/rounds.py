"""Iterative pruning: prune, retrain, and again, each round from what the one before left."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.evaluation.outcome import DIVERGED, load_outcome, read_divergence, save_outcome
from stages.images.prepared import Prepared
from stages.networks import compact
from stages.networks.building import Spec
from stages.pipeline.files import link_or_copy, load_arrays, read_meta, write_json
from stages.pruning.method import Method
from stages.pruning.prune import prune
from stages.pruning.settings import Calibration
from stages.pruning.step import apply, calibration_batches, composed, sizes, write_pruned
from stages.replicates.ranks import by_leader, from_leader, leads
from stages.replicates.replicate import Replicate
from stages.replicates.seeds import PRUNE, stream_seed
from stages.retraining.plan import Plan
from stages.retraining.run import ArmRun, save_retrained
from stages.retraining.slots import carried, save_slots
from stages.schedules.adaptive import adaptive_scale
from stages.training.history import History
from stages.training.loop import Run
from stages.training.progress import end

OUTCOME = "outcome.safetensors"


@dataclass
class Round:
    """A round whose pruning is done and whose retraining is `run`; its files are in `folder`.

    `left` are the dense network's tensors as this round and those before it left them.
    """

    folder: Path
    spec: Spec
    run: Run
    scale: float
    left: Mapping[str, np.ndarray]
    goes_on: bool
    diverged: bool = False

    def finish(self, history: History) -> None:
        """Write what the retraining left; the optimizer's slots where the next round `goes_on`."""
        self.diverged = history.diverged is not None
        if self.goes_on and not self.diverged:
            save_slots(self.folder, self.run)
        outcome = self.folder / OUTCOME
        save_retrained(
            *(self.folder, outcome, self.run, self.spec, history, self.left), lr_scale=self.scale
        )


@dataclass(frozen=True)
class Rounds:
    """The method of every round, the images that criteria see, the arm of every round.

    Later masks depend on the retraining before them: only round 1's are shared between arms.
    Rewinding arms go back to the same dense epoch in each round.
    """

    methods: Sequence[Method]
    calibration: Calibration
    arm: ArmRun

    def to_train(self, this: Replicate, dense: Path, data: Prepared) -> Iterator[Round]:
        """Prune round by round; yield each one that is to be retrained, before the next is pruned.

        `dense` is the file of the dense network. Call `finish` on a round before asking for the
        next; there is none after one that diverged. The leader prunes for all ranks.
        """
        spec = compact.read_spec(dense)
        pruned = self._pruned(this, dense, spec, data)
        last = from_leader(self._last(this) if leads() else None)
        for number in range(1, last + 1):
            about = from_leader(next(pruned) if leads() else None)
            if about is not None:
                folder, scale = round_folder(this, number), _scale(self.arm.plan, about, number)
                state = self._state(this, number)
                run = self.arm.begin(folder, this.number, data, scale, number, state)
                left = left_of(dense, folder, this.name)
                this.check()
                goes_on = self._goes_on and number < len(self.methods)
                current = Round(folder, spec, run, scale, left, goes_on)
                yield current
                end(folder, this.keep)
                if current.diverged:
                    return

    @property
    def _goes_on(self) -> bool:
        return self.arm.plan.technique.restart == "never"

    def _state(self, this: Replicate, number: int) -> Mapping[str, torch.Tensor] | None:
        """Return the optimizer's state that a round goes on from, if it does."""
        if number == 1 or not self._goes_on:
            return None
        before, folder = (round_folder(this, each) for each in (number - 1, number))
        return carried(before, folder, this.name)

    def _last(self, this: Replicate) -> int:
        """Return the last round: the one that diverged before an interruption, if one did."""
        for number in range(1, len(self.methods) + 1):
            outcome = round_folder(this, number) / OUTCOME
            if outcome.is_file() and read_divergence(outcome):
                return number
        return len(self.methods)

    def _pruned(
        self, this: Replicate, dense: Path, spec: Spec, data: Prepared
    ) -> Iterator[dict[str, Any] | None]:
        """Prune round by round; yield the sizes of each, None where its retraining is finished.

        Rounds that an interrupted run finished are pruned once more, for what they kept.
        """
        seed, source = self.arm.seed + this.number, dense
        batches = calibration_batches(data, self.calibration, seed)
        kept: compact.Kept = {}
        masks: dict[str, torch.Tensor] = {}
        widths: dict[str, int] = {}
        for number, method in enumerate(self.methods, 1):
            folder = round_folder(this, number)
            network = compact.load(source).to(data.mean.device)
            generator = torch.Generator().manual_seed(stream_seed(seed, PRUNE, number))
            pruned = prune(network, batches, method, generator, data.shape, masks, widths)
            kept, masks, widths = composed(kept, pruned.kept), pruned.masks, pruned.dense
            source = folder / "last.safetensors"
            if (folder / OUTCOME).exists():
                yield None
                continue
            smaller = apply(network, pruned)
            about = sizes(network, smaller, pruned, data.shape)
            write_json(folder / "sizes.json", about)
            write_pruned(folder, this.name, smaller, spec, kept, masks)
            yield about

    @by_leader
    def finish(self, this: Replicate) -> None:
        """Give the replicate the networks of the last round, and the outcome of all of them.

        One that diverged has no networks but those of the rounds before.
        """
        folders = [round_folder(this, number + 1) for number in range(len(self.methods))]
        outcomes = [load_outcome(f / OUTCOME) for f in folders if (f / OUTCOME).is_file()]
        macs = tuple(outcome.macs for outcome in outcomes)
        before = sum(outcome.before_macs for outcome in outcomes)
        whole = replace(outcomes[-1], round_macs=macs, before_macs=before)
        if whole.diverged:
            diverged = replace(whole.diverged, round=len(outcomes))
            whole = replace(whole, diverged=diverged)
            write_json(this.networks / this.name / DIVERGED, asdict(diverged))
        else:
            for file in ("last.safetensors", "selected.safetensors"):
                link_or_copy(folders[-1] / file, this.networks / this.name / file)
        save_outcome(this.outcome, whole)


def round_folder(this: Replicate, number: int) -> Path:
    """Return the folder of a round, counted from 1."""
    return this.networks / this.name / f"round_{number}"


def left_of(dense: Path, folder: Path, name: str) -> dict[str, np.ndarray]:
    """Return the tensors of a dense network's file as a round left them, masked or cut."""
    selection = folder / "masks" / f"{name}.safetensors"
    whole, arrays = load_arrays(dense), load_arrays(selection)
    if read_meta(selection)["granularity"] == "weight":
        return {key: array * arrays.get(key, True) for key, array in whole.items()}
    tensors = {key: torch.from_numpy(array) for key, array in whole.items()}
    cut = compact.cut(tensors, compact.nested(arrays))
    return {key: tensor.numpy() for key, tensor in cut.items()}


def _scale(plan: Plan, about: Mapping[str, Any], number: int) -> float:
    """Return what multiplies a round's learning rates: an adaptive arm looks at its pruning."""
    if not plan.adaptive:
        return 1.0
    moved, pruned = about["distance"], about["fraction_pruned"]
    epochs = plan.of_round(number).epochs // plan.technique.members
    return adaptive_scale(moved, pruned, epochs, plan.dense_epochs)
