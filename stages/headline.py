"""headline: the few numbers that `dvc metrics diff` compares, of one arm."""

from pathlib import Path

import typer

from stages.pipeline.command import command_line
from stages.pipeline.files import write_json
from stages.pipeline.guard import guarded
from stages.pipeline.made import check_made
from stages.reporting.headline import headline
from stages.results.files import read_arm, read_dense, read_pruned

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Write reports/headline.json from the arm that prune.method and retrain.schedule name."""
    with guarded("headline") as stage:
        check_made()
        method = stage.read("prune.method", str)
        schedule = stage.read("retrain.schedule", str)
        reports = Path("reports")
        arm, pruned = read_arm(reports, method, schedule), read_pruned(reports, method)
        write_json(
            stage.output("reports/headline.json"), headline(arm, pruned, read_dense(reports))
        )


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
