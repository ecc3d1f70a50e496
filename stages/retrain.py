"""retrain: the pruned networks of one method under one schedule."""

import sys
from functools import partial
from pathlib import Path

import typer

from stages.evaluation.outcome import read_divergence
from stages.images.prepared import load
from stages.pipeline.command import MethodName, ScheduleName, run
from stages.pipeline.guard import Stage, guarded
from stages.replicates.processes import run_replicates
from stages.replicates.ranks import leads
from stages.replicates.replicate import Outputs, training
from stages.replicates.settings import Compute, Seeds
from stages.retraining.plan import FILE, load_plan
from stages.retraining.run import ArmRun, save_retrained, spec_of
from stages.training.fit import fit
from stages.training.settings import Recipe

app = typer.Typer(add_completion=False)


@app.command()
def main(method: MethodName, schedule: ScheduleName) -> None:
    """Retrain every replicate of a pruned network under a schedule."""
    with guarded("retrain", method=method, schedule=schedule) as stage:
        folder = Path(f"models/plans/{method}/{schedule}")
        compute, seed = stage.read("compute", Compute), stage.read("seed", int)
        recipe = stage.read("train.recipe", Recipe)
        arm = ArmRun(f"{method} {schedule}", folder, load_plan(folder), recipe, compute, seed)
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
    plan = {str(arm.folder / FILE): arm.plan.digest_of(number)}
    with training(stage, number, arm.compute, outputs, narrowed=plan) as this:
        if not this.finished:
            data = load("data/prepared", this.device, notify=this.first)
            scale, spec = arm.plan.scale_of(number), spec_of(pruned, number)
            run = arm.begin(pruned, number, data, scale)
            this.check()
            history = fit(run, this.folder, arm.name, number, keep=this.keep)
            folder = this.networks / this.name
            save_retrained(folder, this.outcome, run, spec, history, lr_scale=scale)
        if leads() and (diverged := read_divergence(this.outcome)):
            print(f"{arm.name}, replicate {number}: {diverged}", file=sys.stderr)


if __name__ == "__main__":
    run(app)
