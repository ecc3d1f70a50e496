"""plan: write all that defines each arm of a pruning method, as data."""

from pathlib import Path

import typer

from stages.pipeline.command import MethodName, command_line
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json
from stages.pipeline.guard import guarded
from stages.pruning.rounds import ROUNDS, number_of
from stages.retraining.planning import Pruning, plan_arm, write_arm
from stages.retraining.settings import SCHEDULE
from stages.schedules.dense import DenseRates
from stages.schedules.rates import load_rates

app = typer.Typer(add_completion=False)


@app.command()
def main(method: MethodName) -> None:
    """Write the plan of every schedule after a method, with what it needs of the dense run."""
    with guarded("plan", method=method) as stage:
        schedules = stage.read("retrain.schedules", dict[str, SCHEDULE])
        epochs, rounds = stage.read("retrain.epochs", int), 1
        if stage.declares(f"prune.iterative.{method}.rounds"):
            rounds = number_of(stage.read(f"prune.iterative.{method}.rounds", ROUNDS))
        rates = load_rates("models/dense_curve.safetensors")
        dense = DenseRates(rates.lr, rates.momentum, rates.steps_per_epoch)
        sizes = read_json(f"models/pruned/{method}/sizes.json")
        replicates = sizes["replicates"]
        pruning = Pruning(
            sizes["dense_macs"] / sizes["macs"],
            tuple(replicate["distance"] for replicate in replicates),
            tuple(replicate["fraction_pruned"] for replicate in replicates),
            rounds,
        )
        folder = stage.output(f"models/plans/{method}")
        for name, schedule in schedules.items():
            try:
                plan = plan_arm(schedule, epochs, dense, pruning)
            except Fault as fault:
                raise Fault(f"params.yaml: retrain.schedules.{name}: {fault}") from None
            dense_run = Path("models/checkpoints"), Path("models/dense/final")
            write_arm(folder / name, plan, *dense_run, len(replicates))


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
