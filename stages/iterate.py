"""iterate: prune in rounds, retraining under one schedule after each."""

import sys
from functools import partial
from pathlib import Path

import typer

from stages.evaluation.outcome import read_divergence
from stages.images.prepared import load
from stages.pipeline.command import MethodName, ScheduleName, run
from stages.pipeline.guard import Stage, guarded
from stages.pruning.settings import ITERATIVE, Calibration
from stages.replicates.processes import run_replicates
from stages.replicates.ranks import leads
from stages.replicates.replicate import Outputs, training
from stages.replicates.settings import Compute, Seeds
from stages.retraining.plan import FILE, load_plan
from stages.retraining.rounds import Rounds
from stages.retraining.run import ArmRun
from stages.training.fit import fit
from stages.training.settings import Recipe

app = typer.Typer(add_completion=False)


@app.command()
def main(method: MethodName, schedule: ScheduleName) -> None:
    """Prune every dense replicate in rounds and retrain it under a schedule after each."""
    with guarded("iterate", method=method, schedule=schedule) as stage:
        folder = Path(f"models/plans/{method}/{schedule}")
        compute, recipe = stage.read("compute", Compute), stage.read("train.recipe", Recipe)
        seed = stage.read("seed", int)
        arm = ArmRun(f"{method} {schedule}", folder, load_plan(folder), recipe, compute, seed)
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
    plan = {str(arm.folder / FILE): arm.plan.digest_of(number)}
    with training(stage, number, arm.compute, outputs, narrowed=plan) as this:
        if not this.finished:
            data = load("data/prepared", this.device, notify=this.first)
            dense = Path("models/dense/final") / f"{this.name}.safetensors"
            for current in rounds.to_train(this, dense, data):
                history = fit(current.run, current.folder, arm.name, number, keep=this.keep)
                current.finish(history)
                if history.diverged:
                    break
            rounds.finish(this)
        if leads() and (diverged := read_divergence(this.outcome)):
            print(f"{arm.name}, replicate {number}: {diverged}", file=sys.stderr)


if __name__ == "__main__":
    run(app)
