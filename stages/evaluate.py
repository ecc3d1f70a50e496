"""evaluate: score the retrained networks of one arm."""

from pathlib import Path

import typer

from stages.evaluation.outcome import read_outcomes
from stages.pipeline.command import MethodName, ScheduleName, command_line
from stages.pipeline.files import read_json
from stages.pipeline.guard import guarded
from stages.results.files import write_result
from stages.results.scoring import arm_result, read_labels
from stages.retraining.plan import load_plan

app = typer.Typer(add_completion=False)


@app.command()
def main(method: MethodName, schedule: ScheduleName) -> None:
    """Score every replicate of an arm: its last network and the one selected on validation."""
    with guarded("evaluate", method=method, schedule=schedule) as stage:
        seeds = stage.read("seeds", int)
        outcomes = Path(f"models/outcomes/retrained/{method}/{schedule}")
        result = arm_result(
            method,
            schedule,
            load_plan(Path(f"models/plans/{method}/{schedule}")),
            read_outcomes(outcomes, seeds),
            read_labels(Path("data/prepared")),
            stage.read("seed", int),
            read_json(f"models/environments/{method}/{schedule}.json"),
            read_outcomes(Path("models/outcomes/dense"), seeds),
        )
        write_result(stage.output(f"reports/arms/{method}/{schedule}.json"), result)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
