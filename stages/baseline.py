"""Evaluate the dense and the pruned network of every replicate."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import typer
from torch import nn

from stages.cli import IterativeFlag, MethodName, run
from stages.data.images import Prepared, load
from stages.files import read_json, write_json
from stages.guard import guarded
from stages.metrics.cost import cost, mean
from stages.models import compact
from stages.params.compute import Compute
from stages.params.evaluate import Evaluate
from stages.schedules.curve import load_curve
from stages.training.environment import activate
from stages.training.evaluation import DIGITS, read_scores, write_logits
from stages.training.precision import placed
from stages.training.recalibration import recalibrated
from stages.training.replicates import run_replicates

app = typer.Typer(add_completion=False)


@app.command()
def main(
    method: MethodName,
    iterative: IterativeFlag = False,
) -> None:
    """Evaluate the dense networks and those that a method pruned, before any retraining."""
    with guarded("baseline_iterative" if iterative else "baseline", method=method) as stage:
        count, seed = stage.read("seeds", int), stage.read("seed", int)
        compute = stage.read("compute", Compute)
        batch_size = stage.read("evaluate", Evaluate).batch_size
        logits = stage.output(f"models/baselines/{method}")
        report = stage.output(f"reports/baselines/{method}.json")
        folders = {
            "dense": Path("models/dense/final"),
            "pruned": Path(f"models/pruned/{method}/networks"),
        }
        run_replicates(
            partial(replicate, folders, batch_size, compute, logits), count, compute.threads
        )
        activate(compute)
        data = load("data/prepared")
        summary: dict[str, dict[str, Any]] = {
            name: {
                **asdict(mean([cost(load_network(folder, i), data.shape) for i in range(count)])),
                "replicates": [scores(logits, name, i, seed, data) for i in range(count)],
            }
            for name, folder in folders.items()
        }
        anew = [scores(logits, "recalibrated", i, seed, data) for i in range(count)]
        summary["pruned"]["recalibrated"] = anew
        environment = read_json("models/environments/dense.json")
        granularity = read_json(f"models/pruned/{method}/sizes.json")["granularity"]
        summary["dense"]["epochs"] = load_curve("models/curves/dense.safetensors")[0].epochs
        about = {"method": method, "granularity": granularity, "environment": environment}
        write_json(report, {**about, **summary}, DIGITS)


def replicate(
    folders: dict[str, Path], batch_size: int, compute: Compute, logits: Path, number: int
) -> None:
    """Write the logits of one replicate's networks."""
    device = activate(compute)
    data = load("data/prepared", device)
    networks = {
        kind: placed(load_network(folder, number), device, compute)
        for kind, folder in folders.items()
    }
    networks["recalibrated"] = recalibrated(networks["pruned"], data, batch_size)
    path = logits / f"replicate_{number}.safetensors"
    write_logits(path, networks, data, batch_size)


def load_network(folder: Path, number: int) -> nn.Module:
    """Return the network of a replicate."""
    return compact.load(folder / f"replicate_{number}.safetensors")


def scores(logits: Path, network: str, number: int, seed: int, data: Prepared) -> dict[str, Any]:
    """Return a replicate's scores on every split."""
    path = logits / f"replicate_{number}.safetensors"
    return {"seed": seed + number, **read_scores(path, data)[network]}


if __name__ == "__main__":
    run(app)
