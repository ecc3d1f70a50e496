"""Retrain the pruned network of every replicate under one schedule."""

import shutil
from functools import partial
from pathlib import Path

import torch
import typer

from stages.cli import MethodName, ScheduleName, run
from stages.data.images import load
from stages.guard import Stage, guarded
from stages.params.compute import Compute
from stages.params.recipe import Recipe
from stages.training.arm import ArmFiles, retrain
from stages.training.keeping import kept
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)


@app.command()
def main(
    method: MethodName,
    schedule: ScheduleName,
) -> None:
    """Retrain every replicate of a pruned network under a schedule."""
    with guarded("retrain", method=method, schedule=schedule) as stage:
        arm = ArmFiles(
            Path(f"models/pruned/{method}"),
            Path(f"models/curves/{method}/{schedule}"),
            stage.read("train.recipe", Recipe),
            stage.read("compute", Compute),
            stage.read("seed", int),
        )
        folder = stage.output(f"models/retrained/{method}/{schedule}")
        environment = stage.output(f"models/environments/{method}/{schedule}.json")
        task = partial(replicate, stage, arm, folder, environment)
        run_replicates(task, stage.read("seeds", int), arm.compute.threads)


def replicate(stage: Stage, arm: ArmFiles, folder: Path, environment: Path, number: int) -> None:
    """Retrain one replicate, or take it from the finished ones, and lay out its files."""

    def work(place: Path, device: torch.device) -> None:
        data = load("data/prepared", device, tell=number == 0)
        retrain(place, arm, number, data, stage.check)

    done = kept(stage.key, stage.check, arm.compute, number, environment, work)
    shutil.copytree(done, folder / f"replicate_{number}")


if __name__ == "__main__":
    run(app)
