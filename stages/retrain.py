"""retrain: the pruned networks of one method under one schedule."""

import sys
from functools import partial
from pathlib import Path

import typer

from stages.images.prepared import load
from stages.pipeline.command import MethodName, ScheduleName, command_line
from stages.pipeline.guard import Stage, guarded
from stages.replicates.processes import run_replicates
from stages.replicates.replicate import Outputs
from stages.replicates.settings import Compute, Seeds
from stages.retraining.run import (
    ArmRun,
    divergence_of,
    retraining,
    save_retrained,
    spec_of,
    weights_of,
)
from stages.training.fit import fit
from stages.training.settings import Recipe

app = typer.Typer(add_completion=False)


@app.command()
def main(method: MethodName, schedule: ScheduleName) -> None:
    """Retrain every replicate of a pruned network under a schedule."""
    with guarded("retrain", method=method, schedule=schedule) as stage:
        folder = Path(f"models/plans/{method}/{schedule}")
        recipe, compute = stage.read("train.recipe", Recipe), stage.read("compute", Compute)
        arm = ArmRun.read(folder, recipe, compute, stage.read("seed", int))
        outputs = Outputs(
            stage.output(f"models/retrained/{method}/{schedule}"),
            stage.output(f"models/outcomes/retrained/{method}/{schedule}"),
            stage.output(f"models/environments/{method}/{schedule}.json"),
        )
        task = partial(replicate, stage, arm, Path(f"models/pruned/{method}"), outputs)
        seeds, devices = stage.read("seeds", Seeds), stage.read("train.devices", int)
        run_replicates(task, seeds, compute.threads, devices)


def replicate(stage: Stage, arm: ArmRun, pruned: Path, outputs: Outputs, number: int) -> None:
    """Retrain one replicate to the end."""
    with retraining(stage, arm, outputs, number) as this:
        if not this.finished:
            data = load("data/prepared", this.device, notify=this.first)
            scale, spec = arm.plan.scale_of(number), spec_of(pruned, number)
            left = weights_of(pruned, number)
            run = arm.begin(pruned, number, data, scale)
            this.check()
            history = fit(run, this.folder, arm.name, number, keep=this.keep)
            folder = this.networks / this.name
            save_retrained(folder, this.outcome, run, spec, history, left, lr_scale=scale)
        if words := divergence_of(arm, this):
            print(words, file=sys.stderr)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
