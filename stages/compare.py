"""compare: every arm against every other; tables, figures and the report."""

from pathlib import Path

import typer

from stages.cli import run
from stages.files import write_text
from stages.guard import guarded
from stages.params.compare import Compare
from stages.params.load import lookup, read_yaml
from stages.reporting.epochs import write_curves
from stages.reporting.figures import write_figures
from stages.reporting.findings import find
from stages.reporting.report import report
from stages.reporting.results import read_study, remove_stale
from stages.reporting.tables import write_tables

app = typer.Typer(add_completion=False)
REPORTS = Path("reports")


@app.command()
def main() -> None:
    """Compare all arms and write the report."""
    params = read_yaml()
    remove_stale(
        REPORTS,
        {**lookup(params, "prune.methods"), **lookup(params, "prune.iterative")},
        lookup(params, "retrain.schedules"),
    )
    with guarded("compare") as stage:
        settings = stage.read("compare", Compare)
        once, in_rounds = stage.read("prune.methods", dict), stage.read("prune.iterative", dict)
        schedules = stage.read("retrain.schedules", dict)
        found = find(read_study(REPORTS, {**once, **in_rounds}, schedules), settings, schedules)
        write_tables(stage.output("reports/tables"), found)
        write_figures(stage.output("reports/figures"), found)
        write_curves(stage.output("reports/curves"), found.study)
        write_text(stage.output("reports/README.md"), report(found))


if __name__ == "__main__":
    run(app)
