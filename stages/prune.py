"""Prune the dense network of every replicate by one method."""

from functools import partial
from pathlib import Path

import numpy as np
import torch
import typer

from stages.cli import IterativeFlag, MethodName, run
from stages.data.images import load
from stages.files import read_json, write_json
from stages.guard import guarded
from stages.metrics.cost import cost
from stages.models import compact
from stages.params.compute import Compute
from stages.params.prune import ITERATIVE, METHOD, Calibration
from stages.pruning.method import Method
from stages.pruning.prune import prune
from stages.pruning.step import apply, calibration_batches, sizes, write_pruned
from stages.training.environment import activate
from stages.training.order import PRUNE, layer_seed
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)


@app.command()
def main(
    name: MethodName,
    iterative: IterativeFlag = False,
) -> None:
    """Prune every dense replicate by a method: networks, masks and sizes.

    Of an iterative method it is the first round, which all its arms share.
    """
    with guarded("prune_iterative" if iterative else "prune", method=name) as stage:
        if iterative:
            method = stage.read(f"prune.iterative.{name}", ITERATIVE).methods()[0]
        else:
            method = stage.read(f"prune.methods.{name}", METHOD).method()
        calibration = stage.read("prune.calibration", Calibration)
        seed, count = stage.read("seed", int), stage.read("seeds", int)
        compute = stage.read("compute", Compute)
        folder = stage.output(f"models/pruned/{name}")
        task = partial(replicate, method, calibration, seed, compute, folder)
        run_replicates(task, count, compute.threads)
        activate(compute)
        parts = [read_json(folder / "sizes" / f"replicate_{i}.json") for i in range(count)]
        dense = compact.load("models/dense/final/replicate_0.safetensors")
        about = {
            "granularity": method.granularity,
            "dense_macs": cost(dense, load("data/prepared").shape).macs,
            "macs": float(np.mean([part["macs"] for part in parts])),
        }
        write_json(folder / "sizes.json", {**about, "replicates": parts})


def replicate(
    method: Method,
    calibration: Calibration,
    seed: int,
    compute: Compute,
    folder: Path,
    number: int,
) -> None:
    """Prune one replicate; its random choices are drawn from its own seed."""
    device = activate(compute)
    data = load("data/prepared", device)
    name = f"replicate_{number}"
    source = Path("models/dense/final") / f"{name}.safetensors"
    network = compact.load(source).to(device)
    batches = calibration_batches(data, calibration, seed + number)
    generator = torch.Generator().manual_seed(layer_seed(seed + number, PRUNE, 1))
    pruned = prune(network, batches, method, generator, data.shape)
    smaller = apply(network, pruned)
    spec = compact.read_spec(source)
    write_pruned(folder, name, smaller, spec, pruned.kept, pruned.masks)
    write_json(folder / "sizes" / f"{name}.json", sizes(network, smaller, pruned, data.shape))


if __name__ == "__main__":
    run(app)
