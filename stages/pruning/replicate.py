"""One replicate of a pruning method: from the dense network's file to all that is left of it."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from stages.evaluation.cost import cost
from stages.evaluation.measure import measure, split_logits
from stages.evaluation.outcome import Outcome, outcome_file, save_outcome
from stages.images.prepared import Prepared
from stages.networks import compact
from stages.pipeline.files import write_json
from stages.pruning.method import Method
from stages.pruning.prune import prune
from stages.pruning.settings import Calibration
from stages.pruning.step import apply, calibration_batches, sizes, write_pruned
from stages.replicates.precision import placed
from stages.replicates.seeds import PRUNE, stream_seed
from stages.replicates.settings import Compute
from stages.training.recalibration import recalibrated


@dataclass(frozen=True)
class Task:
    """How every replicate is pruned, and the folders of what that leaves.

    Replicate i draws its random choices from the seed `seed + i`.
    """

    method: Method
    calibration: Calibration
    compute: Compute
    seed: int
    folder: Path
    outcomes: Path


def prune_replicate(task: Task, dense: Path, number: int, data: Prepared) -> None:
    """Prune the network in the file `dense`; write network, masks, sizes and outcome."""
    name, seed = f"replicate_{number}", task.seed + number
    network = compact.load(dense).to(data.mean.device)
    batches = calibration_batches(data, task.calibration, seed)
    generator = torch.Generator().manual_seed(stream_seed(seed, PRUNE, 1))
    pruned = prune(network, batches, task.method, generator, data.shape)
    smaller = apply(network, pruned)
    write_pruned(task.folder, name, smaller, compact.read_spec(dense), pruned.kept, pruned.masks)
    about = sizes(network, smaller, pruned, data.shape)
    about["dense_macs"] = cost(network, data.shape).macs
    write_json(task.folder / "sizes" / f"{name}.json", about)
    file = task.folder / "networks" / f"{name}.safetensors"
    save_outcome(outcome_file(task.outcomes, number), measure_pruned(file, data, task.compute))


def measure_pruned(file: Path, data: Prepared, compute: Compute) -> Outcome:
    """Return the outcome of a network that was pruned: raw, and with BatchNorm recalibrated."""
    outcome = measure({"pruned": file}, data, compute)
    network = placed(compact.load(file), data.mean.device, compute)
    again = recalibrated(network, data, compute.evaluation_batch_size)
    logits = {**outcome.logits, "recalibrated": split_logits(again, data, compute)}
    return replace(outcome, logits=logits)
