"""checkpoint: the dense networks as they were at the epochs that rewinding arms start from."""

import sys
from functools import partial
from pathlib import Path

import typer

from stages.dense.given import given_weights
from stages.dense.run import DenseRun, check_converged, go_to, save_checkpoint
from stages.images.prepared import load
from stages.networks.settings import Model
from stages.pipeline.command import command_line
from stages.pipeline.files import read_json
from stages.pipeline.guard import guarded
from stages.replicates.environment import activate, describe
from stages.replicates.processes import run_replicates
from stages.replicates.ranks import leads
from stages.replicates.settings import Compute, Seeds
from stages.schedules.rates import load_rates
from stages.training.settings import Recipe

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Write the checkpoints of build/rewind.json, recomputing those that training did not keep."""
    with guarded("checkpoint") as stage:
        model, recipe = stage.read("model", Model), stage.read("train.recipe", Recipe)
        compute, seed = stage.read("compute", Compute), stage.read("seed", int)
        rates = load_rates("models/dense_curve.safetensors")
        dense = DenseRun(model, recipe, rates, compute, seed)
        epochs = read_json("build/rewind.json")["epochs"]
        given = given_weights(stage.read("train.weights", str))
        if given:
            given.check(epochs)
        seeds, devices = stage.read("seeds", Seeds), stage.read("train.devices", int)
        folder = stage.output("models/checkpoints")
        folder.mkdir()
        if epochs:
            task = partial(replicate, dense, epochs, folder)
            run_replicates(task, seeds, compute.threads, devices)


def replicate(dense: DenseRun, epochs: list[int], folder: Path, number: int) -> None:
    """Write one replicate's checkpoints at `epochs`."""
    device = activate(dense.compute)
    here = describe(dense.compute, device)
    if leads() and here != read_json("models/environments/dense.json"):
        print(
            "the dense networks were trained in another environment: checkpoints that training did "
            "not keep are recomputed here, and may differ from its own in the last bits",
            file=sys.stderr,
        )
    run = dense.begin(number, load("data/prepared", device))
    name = f"replicate_{number}"
    for epoch in epochs:
        check_converged(number, go_to(run, epoch, Path("models/dense/checkpoints") / name))
        save_checkpoint(folder / name, run)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
