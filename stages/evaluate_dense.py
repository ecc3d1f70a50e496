"""evaluate_dense: score the dense networks, once for all methods."""

from pathlib import Path

import typer

from stages.evaluation.outcome import read_outcomes
from stages.pipeline.command import command_line
from stages.pipeline.files import read_json
from stages.pipeline.guard import guarded
from stages.results.files import write_result
from stages.results.scoring import dense_result, read_classes, read_labels
from stages.schedules.rates import load_rates

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Score the dense network of every replicate."""
    with guarded("evaluate_dense") as stage:
        result = dense_result(
            read_outcomes(Path("models/outcomes/dense"), stage.read("seeds", int)),
            read_labels(Path("data/prepared")),
            stage.read("seed", int),
            read_json("models/environments/dense.json"),
            load_rates("models/dense_curve.safetensors").epochs,
            read_classes(Path("data/prepared")),
        )
        write_result(stage.output("reports/dense.json"), result)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
