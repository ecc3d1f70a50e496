"""Train the dense network of every replicate."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import typer

from stages.cli import run
from stages.data.images import Prepared, load
from stages.files import write_rows
from stages.guard import Stage, guarded
from stages.models.compact import save
from stages.params.compute import Compute
from stages.params.model import Model
from stages.params.recipe import Recipe
from stages.schedules.curve import load_curve
from stages.training.dense import Dense, save_checkpoint
from stages.training.fit import end, fit
from stages.training.keeping import kept
from stages.training.loop import Run
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Train the dense replicates; keep their final networks, checkpoints and histories."""
    with guarded("train") as stage:
        dense = Dense(
            stage.read("model", Model),
            stage.read("train.recipe", Recipe),
            load_curve("models/curves/dense.safetensors")[0],
            stage.read("compute", Compute),
            stage.read("seed", int),
        )
        every = stage.read("train.checkpoint_every", int)
        folder = stage.output("models/dense")
        environment = stage.output("models/environments/dense.json")
        task = partial(replicate, stage, dense, every, folder, environment)
        run_replicates(task, stage.read("seeds", int), dense.compute.threads)


def replicate(
    stage: Stage, dense: Dense, every: int, folder: Path, environment: Path, number: int
) -> None:
    """Train one replicate, or take it from the finished ones, and lay out its files."""

    def work(place: Path, device: torch.device) -> None:
        data = load("data/prepared", device, tell=number == 0)
        train(place, dense, every, number, data, stage.check)

    done = kept(stage.key, stage.check, dense.compute, number, environment, work)
    name = f"replicate_{number}"
    for part, target in {
        "final.safetensors": folder / "final" / f"{name}.safetensors",
        "history.csv": folder / "history" / f"{name}.csv",
    }.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(done / part, target)
    shutil.copytree(done / "checkpoints", folder / "checkpoints" / name)


def train(
    place: Path,
    dense: Dense,
    every: int,
    number: int,
    data: Prepared,
    loaded: Callable[[], None],
) -> None:
    """Train one replicate to the end, its files and its progress in `place`.

    `loaded` is called when all inputs are loaded.
    """
    training = dense.begin(number, data)
    loaded()
    checkpoints = place / "checkpoints"
    checkpoints.mkdir(exist_ok=True)

    def keep(training: Run) -> None:
        if training.epoch % every == 0:
            save_checkpoint(checkpoints, training)

    record = fit(training, place, "dense", number, keep)
    write_rows(place / "history.csv", record.history)
    save(place / "final.safetensors", training.network, dense.spec(data))
    end(place)


if __name__ == "__main__":
    run(app)
