"""headline: the few numbers that `dvc metrics diff` compares, of one arm."""

from pathlib import Path

import typer

from stages.cli import run
from stages.files import write_json
from stages.guard import guarded
from stages.reporting.headline import headline
from stages.reporting.results import read_arm, read_baseline

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Write reports/headline.json from the arm that prune.method and retrain.schedule name."""
    with guarded("headline") as stage:
        method = stage.read("prune.method", str)
        schedule = stage.read("retrain.schedule", str)
        reports = Path("reports")
        metrics = headline(read_arm(reports, method, schedule), read_baseline(reports, method))
        write_json(stage.output("reports/headline.json"), metrics)


if __name__ == "__main__":
    run(app)
