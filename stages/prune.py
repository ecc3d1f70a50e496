"""Prune the dense network of every replicate by one method."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import nn

from stages.cli import run
from stages.data.augment import normalise
from stages.data.images import Prepared, load
from stages.files import read_json, save_arrays, write_json
from stages.guard import guarded
from stages.metrics.cost import cost
from stages.models import compact
from stages.params.compute import Compute
from stages.params.prune import METHOD, Calibration
from stages.pruning.distance import distance
from stages.pruning.method import Method
from stages.pruning.prune import Pruned, prune
from stages.pruning.surgery import compact_form
from stages.pruning.unstructured import masked
from stages.training.environment import activate
from stages.training.order import PRUNE, layer_seed
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)


@app.command()
def main(
    name: Annotated[str, typer.Option("--method", help="Pruning method, a key of prune.methods.")],
) -> None:
    """Prune every dense replicate by a method: networks, masks and sizes."""
    with guarded("prune", method=name) as stage:
        method = stage.read(f"prune.methods.{name}", METHOD).method()
        calibration = stage.read("prune.calibration", Calibration)
        seed, count = stage.read("seed", int), stage.read("seeds", int)
        compute = stage.read("compute", Compute)
        folder = stage.output(f"models/pruned/{name}")
        task = partial(replicate, method, calibration, seed, compute, folder)
        run_replicates(task, count, compute.threads)
        parts = [folder / "sizes" / f"replicate_{i}.json" for i in range(count)]
        sizes = [read_json(part) for part in parts]
        mean = {key: np.mean([size[key] for size in sizes]) for key in ("dense_macs", "macs")}
        about = {"granularity": method.granularity, **mean}
        write_json(folder / "sizes.json", {**about, "replicates": sizes})


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
    data = load("data/prepared").to(device)
    name = f"replicate_{number}"
    source = Path("models/dense/final") / f"{name}.safetensors"
    network = compact.load(source).to(device)
    batches = calibration_batches(data, calibration, seed + number)
    generator = torch.Generator().manual_seed(layer_seed(seed + number, PRUNE, 0))
    pruned = prune(network, batches, method, generator, data.shape)
    smaller = apply(network, pruned)
    compact.save(folder / "networks" / f"{name}.safetensors", smaller, compact.read_spec(source))
    arrays = {key: mask.numpy() for key, mask in pruned.masks.items()}
    arrays |= compact.flat(pruned.kept)
    about = {"granularity": method.granularity}
    save_arrays(folder / "masks" / f"{name}.safetensors", arrays, about)
    write_json(folder / "sizes" / f"{name}.json", sizes_of(network, smaller, pruned, data))


def calibration_batches(
    data: Prepared, calibration: Calibration, seed: int
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Draw the normalised training images, not augmented, that criteria look at."""
    count = calibration.batches * calibration.batch_size
    order = np.random.default_rng([seed, PRUNE]).permutation(len(data.train.labels))[:count]
    index = torch.from_numpy(order).to(data.mean.device)
    images = normalise(data.train.images[index], data.mean, data.std)
    parts = (t.split(calibration.batch_size) for t in (images, data.train.labels[index]))
    return list(zip(*parts, strict=True))


def apply(network: nn.Module, pruned: Pruned) -> nn.Module:
    """Return a copy of the network without what was pruned."""
    return compact_form(network, pruned.kept) if pruned.kept else masked(network, pruned.masks)


def sizes_of(
    network: nn.Module, smaller: nn.Module, pruned: Pruned, data: Prepared
) -> dict[str, Any]:
    """Return sizes before and after, and what adaptive learning rates need."""
    before, after = (dict(n.named_parameters()) for n in (network, smaller))
    dense = {f"dense_{key}": value for key, value in asdict(cost(network, data.shape)).items()}
    return {
        **dense,
        **asdict(cost(smaller, data.shape)),
        "distance": distance(before, after),
        "fraction_pruned": pruned.fraction,
        "sparsity": pruned.sparsity,
        "widths": pruned.widths,
    }


if __name__ == "__main__":
    run(app)
