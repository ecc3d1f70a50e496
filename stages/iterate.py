"""Prune in rounds, retraining under one schedule after each."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import typer

from stages.cli import MethodName, ScheduleName, run
from stages.data.images import Prepared, load
from stages.files import write_json
from stages.guard import Stage, guarded
from stages.models import compact
from stages.params.compute import Compute
from stages.params.prune import ITERATIVE, Calibration
from stages.params.recipe import Recipe
from stages.pruning.method import Method
from stages.pruning.prune import prune
from stages.pruning.step import apply, calibration_batches, composed, sizes, write_pruned
from stages.schedules.adaptive import adaptive_scale
from stages.schedules.curve import load_curve
from stages.training import keeping
from stages.training.arm import ArmFiles, retrain
from stages.training.order import PRUNE, layer_seed
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class Plan:
    """The method of every round, the images that criteria see, the arm of every round."""

    methods: list[Method]
    calibration: Calibration
    arm: ArmFiles


@app.command()
def main(
    method: MethodName,
    schedule: ScheduleName,
) -> None:
    """Prune every dense replicate in rounds and retrain it under a schedule after each.

    Later masks depend on the retraining before them: only round 1's are shared between arms.
    Rewinding arms go back to the same dense epoch in each round.
    """
    with guarded("iterate", method=method, schedule=schedule) as stage:
        arm = ArmFiles(
            Path(),
            Path(f"models/curves/{method}/{schedule}"),
            stage.read("train.recipe", Recipe),
            stage.read("compute", Compute),
            stage.read("seed", int),
        )
        methods = stage.read(f"prune.iterative.{method}", ITERATIVE).methods()
        plan = Plan(methods, stage.read("prune.calibration", Calibration), arm)
        folder = stage.output(f"models/retrained/{method}/{schedule}")
        environment = stage.output(f"models/environments/{method}/{schedule}.json")
        task = partial(replicate, stage, plan, folder, environment)
        run_replicates(task, stage.read("seeds", int), arm.compute.threads)


def replicate(stage: Stage, plan: Plan, folder: Path, environment: Path, number: int) -> None:
    """Iterate one replicate, or take it from the finished ones, and lay out its files."""

    def work(place: Path, device: torch.device) -> None:
        data = load("data/prepared", device, tell=number == 0)
        iterate(place, plan, number, data, stage.check)

    done = keeping.kept(stage.key, stage.check, plan.arm.compute, number, environment, work)
    shutil.copytree(done, folder / f"replicate_{number}")


def iterate(
    place: Path, plan: Plan, number: int, data: Prepared, loaded: Callable[[], None]
) -> None:
    """Prune and retrain in rounds; `place` gets each round's files, and the last round's on top.

    `loaded` is called in every round when its inputs are loaded.
    """
    name = f"replicate_{number}"
    source = Path("models/dense/final") / f"{name}.safetensors"
    seed = plan.arm.seed + number
    batches = calibration_batches(data, plan.calibration, seed)
    spec = compact.read_spec(source)
    kept: compact.Kept = {}
    masks: dict[str, torch.Tensor] = {}
    for turn, method in enumerate(plan.methods, 1):
        folder = place / f"round_{turn}"
        network = compact.load(source).to(data.mean.device)
        generator = torch.Generator().manual_seed(layer_seed(seed, PRUNE, turn))
        pruned = prune(network, batches, method, generator, data.shape, masks)
        kept, masks = composed(kept, pruned.kept), pruned.masks
        source = folder / "last.safetensors"
        if not (folder / "history.csv").exists():
            smaller = apply(network, pruned)
            about = sizes(network, smaller, pruned, data.shape)
            write_json(folder / "sizes.json", about)
            write_pruned(folder, name, smaller, spec, kept, masks)
            curve = round_curve(folder, plan.arm, name, about)
            arm = replace(plan.arm, pruned=folder, curve=curve)
            retrain(folder, arm, number, data, loaded, turn)
            (curve / f"{name}.safetensors").unlink(missing_ok=True)
    for file in ("last.safetensors", "selected.safetensors", "history.csv"):
        shutil.copyfile(folder / file, place / file)


def round_curve(folder: Path, arm: ArmFiles, name: str, about: dict[str, Any]) -> Path:
    """Return the arm's curve for a round: an adaptive one is scaled by the round's own distance."""
    curve = folder / "curves" / arm.curve.parent.name / arm.curve.name
    curve.mkdir(parents=True, exist_ok=True)
    for file in ("curve.safetensors", f"{name}.json", f"{name}.safetensors"):
        if (arm.curve / file).exists():
            shutil.copyfile(arm.curve / file, curve / file)
    scale = curve / f"{name}.json"
    if scale.exists():
        epochs = load_curve(curve / "curve.safetensors")[0].epochs
        dense = load_curve("models/curves/dense.safetensors")[0].epochs
        moved, pruned = about["distance"], about["fraction_pruned"]
        write_json(scale, {"lr_scale": adaptive_scale(moved, pruned, epochs, dense)})
    return curve


if __name__ == "__main__":
    run(app)
