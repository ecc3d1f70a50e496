"""Give later stages the dense network as it was at the epochs that rewinding arms ask for."""

import sys
from functools import partial
from pathlib import Path

import typer

from stages.cli import run
from stages.data.images import load
from stages.files import read_json
from stages.guard import guarded
from stages.params.compute import Compute
from stages.params.model import Model
from stages.params.recipe import Recipe
from stages.schedules.curve import load_curve
from stages.training.dense import Dense, go_to, save_checkpoint
from stages.training.environment import activate, describe
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Write the checkpoints of build/rewind.json, recomputing those that training did not keep."""
    with guarded("checkpoint") as stage:
        dense = Dense(
            stage.read("model", Model),
            stage.read("train.recipe", Recipe),
            load_curve("models/curves/dense.safetensors")[0],
            stage.read("compute", Compute),
            stage.read("seed", int),
        )
        epochs = read_json("build/rewind.json")["epochs"]
        folder = stage.output("models/checkpoints")
        folder.mkdir()
        if epochs:
            task = partial(replicate, dense, epochs, folder)
            run_replicates(task, stage.read("seeds", int), dense.compute.threads)


def replicate(dense: Dense, epochs: list[int], folder: Path, number: int) -> None:
    """Write one replicate's checkpoints at `epochs`."""
    device = activate(dense.compute)
    if describe(dense.compute, device) != read_json("models/environments/dense.json"):
        print(
            "the dense networks were trained in another environment: checkpoints that training did "
            "not keep are recomputed here, and may differ from its own in the last bits",
            file=sys.stderr,
        )
    training = dense.begin(number, load("data/prepared", device))
    name = f"replicate_{number}"
    for epoch in epochs:
        go_to(training, epoch, Path("models/dense/checkpoints") / name)
        save_checkpoint(folder / name, training)


if __name__ == "__main__":
    run(app)
