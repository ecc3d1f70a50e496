"""compare: every arm against every other; tables, figures and the report."""

from pathlib import Path

import typer

from stages.dense.settings import Train
from stages.pipeline.command import command_line
from stages.pipeline.files import write_json, write_text
from stages.pipeline.guard import guarded
from stages.pipeline.made import check_made
from stages.pipeline.params import lookup, read_yaml
from stages.reporting.curves import write_curves
from stages.reporting.headline import arm_accuracies
from stages.reporting.page import page, write_figures, write_tables
from stages.reporting.report import report_of
from stages.reporting.settings import Compare
from stages.results.files import read_results, remove_stale
from stages.study.differences import differences

app = typer.Typer(add_completion=False)
REPORTS = Path("reports")
DEFAULT = "stages/presets/default.yaml"


@app.command()
def main() -> None:
    """Compare all arms and write the report."""
    params, default = read_yaml(), read_yaml(DEFAULT)
    remove_stale(
        REPORTS,
        {**lookup(params, "prune.methods"), **lookup(params, "prune.iterative")},
        lookup(params, "retrain.schedules"),
    )
    with guarded("compare") as stage:
        check_made()
        once, in_rounds = stage.read("prune.methods", dict), stage.read("prune.iterative", dict)
        methods = {**once, **in_rounds}
        schedules = stage.read("retrain.schedules", dict)
        results = read_results(REPORTS, methods, schedules)
        timed, corrupted = (list(stage.read(key, dict)) for key in ("latency", "corruptions"))
        compare, train = stage.read("compare", Compare), stage.read("train", Train)
        report = report_of(results, compare, schedules, train, methods)
        write_tables(stage.output("reports/tables"), report)
        write_figures(stage.output("reports/figures"), report)
        write_curves(stage.output("reports/curves"), results)
        write_json(stage.output("reports/accuracy.json"), arm_accuracies(results))
        differing = differences(stage.params, {key: lookup(default, key) for key in stage.params})
        text = page(report, differing, timed, corrupted)
        write_text(stage.output("reports/README.md"), text)


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
