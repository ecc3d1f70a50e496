"""prune: the dense network of every replicate, by one method."""

from functools import partial
from pathlib import Path

import numpy as np
import typer

from stages.images.prepared import load
from stages.pipeline.command import MethodName, command_line
from stages.pipeline.files import read_json, write_json
from stages.pipeline.guard import guarded
from stages.pruning.replicate import Task, prune_replicate
from stages.pruning.settings import ITERATIVE, METHOD, Calibration
from stages.replicates.environment import activate
from stages.replicates.processes import run_replicates
from stages.replicates.settings import Compute, Seeds

app = typer.Typer(add_completion=False)


@app.command()
def main(method: MethodName) -> None:
    """Prune every dense replicate by a method: networks, masks, sizes and outcomes.

    Of an iterative method it is the first round, which all its arms share.
    """
    with guarded("prune", method=method) as stage:
        if stage.declares(f"prune.iterative.{method}"):
            rule = stage.read(f"prune.iterative.{method}", ITERATIVE).methods()[0]
        else:
            rule = stage.read(f"prune.methods.{method}", METHOD).method()
        task = Task(
            rule,
            stage.read("prune.calibration", Calibration),
            stage.read("compute", Compute),
            stage.read("seed", int),
            stage.output(f"models/pruned/{method}"),
            stage.output(f"models/outcomes/pruned/{method}"),
        )
        count = stage.read("seeds", Seeds)
        run_replicates(partial(replicate, task), count, task.compute.threads)
        parts = [read_json(task.folder / "sizes" / f"replicate_{i}.json") for i in range(count)]
        about = {
            "granularity": rule.granularity,
            "dense_macs": parts[0]["dense_macs"],
            "macs": float(np.mean([part["macs"] for part in parts])),
        }
        write_json(task.folder / "sizes.json", {**about, "replicates": parts})


def replicate(task: Task, number: int) -> None:
    """Prune one replicate."""
    data = load("data/prepared", activate(task.compute))
    prune_replicate(
        task, Path("models/dense/final") / f"replicate_{number}.safetensors", number, data
    )


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
