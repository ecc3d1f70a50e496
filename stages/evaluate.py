"""Evaluate the retrained networks of one arm."""

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import typer

from stages.cli import IterativeFlag, MethodName, ScheduleName, run
from stages.data.images import Prepared, load
from stages.files import read_json, write_json
from stages.guard import guarded
from stages.metrics.cost import cost, mean
from stages.models import compact
from stages.params.compute import Compute
from stages.params.evaluate import Evaluate
from stages.schedules.curve import Curve, load_curve
from stages.training.environment import activate
from stages.training.evaluation import DIGITS, read_scores, write_logits
from stages.training.precision import placed
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)
POINTS = 200


@app.command()
def main(
    method: MethodName,
    schedule: ScheduleName,
    iterative: IterativeFlag = False,
) -> None:
    """Evaluate every replicate of an arm: its last network and the one selected on validation."""
    name = "evaluate_iterative" if iterative else "evaluate"
    with guarded(name, method=method, schedule=schedule) as stage:
        count, seed = stage.read("seeds", int), stage.read("seed", int)
        compute = stage.read("compute", Compute)
        batch_size = stage.read("evaluate", Evaluate).batch_size
        networks = Path(f"models/retrained/{method}/{schedule}")
        logits = stage.output(f"models/evaluated/{method}/{schedule}")
        report = stage.output(f"reports/arms/{method}/{schedule}.json")
        run_replicates(
            partial(replicate, networks, batch_size, compute, logits), count, compute.threads
        )
        activate(compute)
        data = load("data/prepared")
        source = Path(f"models/curves/{method}/{schedule}")
        curve, about = load_curve(source / "curve.safetensors")
        folders = [networks / f"replicate_{i}" for i in range(count)]
        costs = [cost(compact.load(f / "last.safetensors"), data.shape) for f in folders]
        factors = [lr_scale(source, folder) for folder in folders]
        summary = {
            "method": method,
            "schedule": schedule,
            **about,
            **asdict(mean(costs)),
            "epochs": curve.epochs,
            **rounds(folders, curve.epochs, mean(costs).macs),
            "steps_per_epoch": curve.steps_per_epoch,
            "curve_points": points(replace(curve, lr=curve.lr * np.mean(factors))),
            "environment": read_json(f"models/environments/{method}/{schedule}.json"),
            "replicates": [
                {"seed": seed + i, "lr_scale": factors[i], **scores(logits, networks, i, data)}
                for i in range(count)
            ],
        }
        write_json(report, summary, DIGITS)


def lr_scale(curve: Path, replicate: Path) -> float:
    """Return what a replicate multiplied its curve by, in its last round: 1 if not adaptive."""
    name = f"{replicate.name}.json"
    turns = {int(f.parts[-5].removeprefix("round_")): f for f in replicate.glob(f"*/*/*/*/{name}")}
    own = turns[max(turns)] if turns else curve / name
    return float(read_json(own)["lr_scale"]) if own.exists() else 1.0


def rounds(folders: list[Path], epochs: int, macs: int) -> dict[str, Any]:
    """Return how often an arm was pruned and retrained, and the forward MACs per training image."""
    sizes = [[read_json(file)["macs"] for file in f.glob("round_*/sizes.json")] for f in folders]
    if not sizes[0]:
        return {"rounds": 1, "training_macs": epochs * macs}
    return {"rounds": len(sizes[0]), "training_macs": epochs * float(np.mean([*map(sum, sizes)]))}


def replicate(networks: Path, batch_size: int, compute: Compute, logits: Path, number: int) -> None:
    """Write the logits of one replicate's networks."""
    device = activate(compute)
    data = load("data/prepared", device)
    folder = networks / f"replicate_{number}"
    both = {
        kind: placed(compact.load(folder / f"{kind}.safetensors"), device, compute)
        for kind in ("last", "selected")
    }
    write_logits(logits / f"replicate_{number}.safetensors", both, data, batch_size)


def scores(logits: Path, networks: Path, number: int, data: Prepared) -> dict[str, Any]:
    """Return a replicate's scores, the epochs that two selections pick, and its history."""
    both = read_scores(logits / f"replicate_{number}.safetensors", data)
    file = networks / f"replicate_{number}" / "history.csv"
    history = np.atleast_1d(np.genfromtxt(file, delimiter=",", names=True))
    test, validation = history["test_accuracy"], history["validation_accuracy"]
    held_out = not np.isnan(validation).any()
    selected = _last_best(validation) if held_out else len(history)
    best = _last_best(test)
    return {
        "last": both["last"],
        "selected": {"epoch": selected, **both["selected"]},
        "test_best": {"epoch": best, "accuracy": float(test.max())},
        "history": {
            "train_loss": history["train_loss"].tolist(),
            "validation_accuracy": validation.tolist() if held_out else None,
            "test_accuracy": test.tolist(),
        },
    }


def points(curve: Curve) -> dict[str, list[float]]:
    """Return at most POINTS + 1 evenly spaced steps of a curve, its first and last among them."""
    last = len(curve.lr) - 1
    steps = np.unique(np.linspace(0, last, min(last, POINTS) + 1).round().astype(int))
    return {
        "step": steps.tolist(),
        "lr": curve.lr[steps].tolist(),
        "momentum": curve.momentum[steps].tolist(),
    }


def _last_best(accuracies: np.ndarray) -> int:
    return len(accuracies) - int(np.argmax(accuracies[::-1]))


if __name__ == "__main__":
    run(app)
