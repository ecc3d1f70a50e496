"""Retrain the pruned network of every replicate under one schedule."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from stages.cli import run
from stages.data.images import load
from stages.files import read_json, write_json, write_rows
from stages.guard import Stage, guarded
from stages.models import compact
from stages.params.compute import Compute
from stages.params.recipe import Recipe
from stages.schedules.curve import load_curve
from stages.training.environment import activate, describe
from stages.training.fit import end, fit
from stages.training.loop import Run
from stages.training.optimizer import SGD
from stages.training.order import RETRAIN
from stages.training.recovery import collect, finished
from stages.training.replicates import run_replicates
from stages.training.start import start

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Arm:
    """Where an arm's files are, and what it shares with every other arm."""

    pruned: Path
    curve: Path
    recipe: Recipe
    seed: int


@app.command()
def main(
    method: Annotated[str, typer.Option(help="Pruning method, a key of prune.methods.")],
    schedule: Annotated[str, typer.Option(help="Schedule, a key of retrain.schedules.")],
) -> None:
    """Retrain every replicate of a pruned network under a schedule."""
    with guarded("retrain", method=method, schedule=schedule) as stage:
        arm = Arm(
            Path(f"models/pruned/{method}"),
            Path(f"models/curves/{method}/{schedule}"),
            stage.read("train.recipe", Recipe),
            stage.read("seed", int),
        )
        compute = stage.read("compute", Compute)
        folder = stage.output(f"models/retrained/{method}/{schedule}")
        environment = stage.output(f"models/environments/{method}/{schedule}.json")
        task = partial(replicate, stage, arm, compute, folder, environment)
        run_replicates(task, stage.read("seeds", int), compute.threads)


def replicate(
    stage: Stage, arm: Arm, compute: Compute, folder: Path, environment: Path, number: int
) -> None:
    """Retrain one replicate, or take it from the finished ones, and lay out its files."""
    device = activate(compute)
    about = describe(compute, device)
    key = stage.key(number, environment=about)
    done = finished(key, lambda place: retrain(place, arm, number, device))
    collect(done, folder / f"replicate_{number}")
    if number == 0:
        write_json(environment, about)


def retrain(place: Path, arm: Arm, number: int, device: torch.device) -> None:
    """Retrain one replicate to the end, its files and its progress in `place`."""
    name = f"replicate_{number}"
    curve, about = load_curve(arm.curve / "curve.safetensors")
    scale = arm.curve / f"{name}.json"
    if scale.exists():
        curve = replace(curve, lr=curve.lr * read_json(scale)["lr_scale"])
    data = load("data/prepared").to(device)
    checkpoint = arm.curve / f"{name}.safetensors"
    begin = start(about["start"], arm.pruned, name, checkpoint, arm.seed + number)
    network = begin.network.to(device)
    masks = {k: mask.to(device) for k, mask in begin.masks.items()}
    recipe = arm.recipe
    optimizer = SGD(network, recipe.weight_decay, recipe.nesterov, masks, begin.velocity)
    seed = arm.seed + number
    training = Run(network, optimizer, data, recipe, curve, seed, RETRAIN, masks)
    record = fit(training, place, f"{arm.curve.parent.name} {arm.curve.name} {number}")
    spec = compact.read_spec(arm.pruned / "networks" / f"{name}.safetensors")
    compact.save(place / "last.safetensors", network, spec)
    network.load_state_dict({k: torch.from_numpy(v) for k, v in record.selected.items()})
    compact.save(place / "selected.safetensors", network, spec)
    write_rows(place / "history.csv", record.history)
    end(place)


if __name__ == "__main__":
    run(app)
