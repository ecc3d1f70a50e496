"""Retrain the pruned network of every replicate under one schedule."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from stages.cli import run
from stages.data.images import load
from stages.files import write_json
from stages.guard import Stage, guarded
from stages.params.compute import Compute
from stages.params.recipe import Recipe
from stages.training.arm import Arm, retrain
from stages.training.environment import activate, describe
from stages.training.recovery import collect, finished
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)


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

    def work(place: Path) -> None:
        retrain(place, arm, number, load("data/prepared").to(device), stage.check)

    done = finished(stage.key(number, environment=about), work)
    collect(done, folder / f"replicate_{number}")
    if number == 0:
        write_json(environment, about)


if __name__ == "__main__":
    run(app)
