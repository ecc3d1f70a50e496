"""iterate: prune in rounds, retraining under one schedule after each."""

import sys
from functools import partial
from pathlib import Path

import typer

from stages.images.prepared import load
from stages.pipeline.command import MethodName, ScheduleName, command_line
from stages.pipeline.guard import Stage, guarded
from stages.pruning.settings import ITERATIVE, Calibration
from stages.replicates.processes import run_replicates
from stages.replicates.replicate import Outputs
from stages.replicates.settings import Compute, Seeds
from stages.retraining.rounds import Rounds
from stages.retraining.run import ArmRun, divergence_of, retraining
from stages.training.fit import fit
from stages.training.settings import Recipe

app = typer.Typer(add_completion=False)


@app.command()
def main(method: MethodName, schedule: ScheduleName) -> None:
    """Prune every dense replicate in rounds and retrain it under a schedule after each."""
    with guarded("iterate", method=method, schedule=schedule) as stage:
        folder = Path(f"models/plans/{method}/{schedule}")
        recipe, compute = stage.read("train.recipe", Recipe), stage.read("compute", Compute)
        arm = ArmRun.read(folder, recipe, compute, stage.read("seed", int))
        methods = stage.read(f"prune.iterative.{method}", ITERATIVE).methods()
        rounds = Rounds(methods, stage.read("prune.calibration", Calibration), arm)
        outputs = Outputs(
            stage.output(f"models/retrained/{method}/{schedule}"),
            stage.output(f"models/outcomes/retrained/{method}/{schedule}"),
            stage.output(f"models/environments/{method}/{schedule}.json"),
        )
        task = partial(replicate, stage, rounds, outputs)
        seeds, devices = stage.read("seeds", Seeds), stage.read("train.devices", int)
        run_replicates(task, seeds, compute.threads, devices)


def replicate(stage: Stage, rounds: Rounds, outputs: Outputs, number: int) -> None:
    """Prune and retrain one replicate to the end."""
    arm = rounds.arm
    with retraining(stage, arm, outputs, number) as this:
        if not this.finished:
            data = load("data/prepared", this.device, notify=this.first)
            dense = Path("models/dense/final") / f"{this.name}.safetensors"
            for current in rounds.to_train(this, dense, data):
                current.finish(fit(current.run, current.folder, arm.name, number, keep=this.keep))
            rounds.finish(this)
        if words := divergence_of(arm, this):
            print(words, file=sys.stderr)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
