"""evaluate_pruned: score the networks that one method pruned, before any retraining."""

from pathlib import Path

import typer

from stages.evaluation.outcome import read_outcomes
from stages.pipeline.command import MethodName, command_line
from stages.pipeline.files import read_json
from stages.pipeline.guard import guarded
from stages.results.files import write_result
from stages.results.scoring import pruned_result, read_labels

app = typer.Typer(add_completion=False)


@app.command()
def main(method: MethodName) -> None:
    """Score every replicate that a method pruned, as it is and with BatchNorm recalibrated."""
    with guarded("evaluate_pruned", method=method) as stage:
        seeds = stage.read("seeds", int)
        result = pruned_result(
            method,
            read_json(f"models/pruned/{method}/sizes.json")["granularity"],
            read_outcomes(Path(f"models/outcomes/pruned/{method}"), seeds),
            read_labels(Path("data/prepared")),
            stage.read("seed", int),
            read_outcomes(Path("models/outcomes/dense"), seeds),
        )
        write_result(stage.output(f"reports/pruned/{method}.json"), result)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
