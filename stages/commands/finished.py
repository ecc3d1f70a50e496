"""The results of the study in this folder, for commands that tell of them."""

from pathlib import Path
from typing import Any

from stages.pipeline.params import PARAMS, lookup, parse, read_yaml
from stages.reporting.report import Report
from stages.reporting.settings import Compare
from stages.results.files import read_results

REPORTS = Path("reports")


def finished_report() -> Report:
    """Read all results below reports/; a Fault names every file that is missing."""
    tree: dict[str, Any] = read_yaml()
    methods = {**lookup(tree, "prune.methods"), **lookup(tree, "prune.iterative")}
    schedules = lookup(tree, "retrain.schedules")
    compare: Compare = parse(Compare, lookup(tree, "compare"), "compare", PARAMS)
    return Report(read_results(REPORTS, methods, schedules), compare, schedules)
