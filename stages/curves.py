"""Draw what defines every arm of a pruning method, as data: curve, momentum, rewound start."""

import shutil
from pathlib import Path
from typing import Any

import typer

from stages.cli import IterativeFlag, MethodName, run
from stages.fault import Fault
from stages.files import read_json, write_json
from stages.guard import guarded
from stages.params.schedules import SCHEDULE, Schedule
from stages.schedules.adaptive import adaptive_scale
from stages.schedules.arm import rewind_epoch
from stages.schedules.curve import load_curve, save_curve
from stages.schedules.dense import Dense
from stages.schedules.registry import ADAPTIVE

app = typer.Typer(add_completion=False)
CHECKPOINTS = Path("models/checkpoints")


@app.command()
def main(
    method: MethodName,
    iterative: IterativeFlag = False,
) -> None:
    """Write every schedule's curves for a pruning method, with the checkpoints they rewind to."""
    with guarded("curves_iterative" if iterative else "curves", method=method) as stage:
        schedules = stage.read("retrain.schedules", dict[str, SCHEDULE])
        recorded = load_curve("models/curves/dense.safetensors")[0]
        dense = Dense(recorded.lr, recorded.momentum, recorded.steps_per_epoch)
        sizes = read_json(f"models/pruned/{method}/sizes.json")
        epochs = stage.read("retrain.epochs", int)
        folder = stage.output(f"models/curves/{method}")
        for name, schedule in schedules.items():
            try:
                draw(folder / name, schedule, epochs, dense, sizes)
            except Fault as fault:
                raise Fault(f"params.yaml: retrain.schedules.{name}: {fault}") from None


def draw(
    folder: Path, schedule: Schedule, epochs: int, dense: Dense, sizes: dict[str, Any]
) -> None:
    """Write one arm into `folder`."""
    arm = schedule.arm()
    budget = schedule.budget(epochs, dense.epochs, sizes["dense_macs"] / sizes["macs"])
    about = {"start": arm.start, "curve": arm.curve}
    curve = arm.curves(budget, dense.steps_per_epoch, dense)
    save_curve(folder / "curve.safetensors", curve, about)
    rewound = rewind_epoch(arm, budget, dense.epochs)
    for number, replicate in enumerate(sizes["replicates"]):
        name = f"replicate_{number}"
        if rewound is not None:
            checkpoint = CHECKPOINTS / name / f"epoch_{rewound:04d}.safetensors"
            shutil.copyfile(checkpoint, folder / f"{name}.safetensors")
        if arm.curve in ADAPTIVE:
            moved, pruned = replicate["distance"], replicate["fraction_pruned"]
            scale = adaptive_scale(moved, pruned, budget, dense.epochs)
            write_json(folder / f"{name}.json", {"lr_scale": scale})


if __name__ == "__main__":
    run(app)
