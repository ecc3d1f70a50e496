"""train: the dense network of every replicate."""

from functools import partial

import typer

from stages.dense.given import Given, given_weights
from stages.dense.run import DenseRun, check_converged, checkpoints_every, save_trained
from stages.dense.weights import take
from stages.images.prepared import load
from stages.networks.settings import Model
from stages.pipeline.command import command_line
from stages.pipeline.guard import Stage, guarded
from stages.replicates.processes import run_replicates
from stages.replicates.replicate import Outputs, training
from stages.replicates.settings import Compute, Seeds
from stages.schedules.rates import load_rates
from stages.training.fit import fit
from stages.training.settings import Recipe

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Train the dense replicates; keep their final networks, checkpoints and outcomes."""
    with guarded("train") as stage:
        model, recipe = stage.read("model", Model), stage.read("train.recipe", Recipe)
        compute, seed = stage.read("compute", Compute), stage.read("seed", int)
        rates = load_rates("models/dense_curve.safetensors")
        dense = DenseRun(model, recipe, rates, compute, seed)
        outputs = Outputs(
            stage.output("models/dense"),
            stage.output("models/outcomes/dense"),
            stage.output("models/environments/dense.json"),
        )
        every = stage.read("train.checkpoint_every", int)
        given = given_weights(stage.read("train.weights", str))
        task = partial(replicate, stage, dense, given or every, outputs)
        seeds, devices = stage.read("seeds", Seeds), stage.read("train.devices", int)
        run_replicates(task, seeds, compute.threads, devices)


def replicate(
    stage: Stage, dense: DenseRun, source: Given | int, outputs: Outputs, number: int
) -> None:
    """Train one replicate to the end, a checkpoint every so many epochs, or take given weights."""
    with training(stage, number, dense.compute, outputs) as this:
        if not this.finished:
            data = load("data/prepared", this.device, notify=this.first)
            run = dense.begin(number, data)
            this.check()
            kept = this.networks / "checkpoints" / this.name
            if isinstance(source, Given):
                history = take(run, source, kept)
            else:
                after = checkpoints_every(source, kept)
                history = fit(run, this.folder, "dense", number, after, this.keep, tested=False)
            check_converged(number, history.diverged)
            save_trained(this, run, dense.spec(data), history)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
