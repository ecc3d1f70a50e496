"""The results of the study in this folder, for commands that tell of them."""

import subprocess
import sys
from typing import Any

from stages.commands.places import REPORTS
from stages.dense.settings import Train
from stages.pipeline.made import check_made
from stages.pipeline.params import PARAMS, lookup, parse, read_yaml
from stages.reporting.report import Report, report_of
from stages.reporting.settings import Compare
from stages.results.files import read_results


def finished_report() -> Report:
    """Read all results below reports/; a Fault names every file that is missing.

    Where they are not those of params.yaml as it is now, a line on stderr says so.
    """
    check_made()
    tree: dict[str, Any] = read_yaml()
    methods = {**lookup(tree, "prune.methods"), **lookup(tree, "prune.iterative")}
    schedules = lookup(tree, "retrain.schedules")
    compare: Compare = parse(Compare, lookup(tree, "compare"), "compare", PARAMS)
    train: Train = parse(Train, lookup(tree, "train"), "train", PARAMS)
    results = read_results(REPORTS, methods, schedules)
    asked = [sys.executable, "-m", "dvc", "status", "--quiet"]
    if subprocess.run(asked, stderr=subprocess.DEVNULL, check=False).returncode:
        print("the results are not those of params.yaml as it is; `dvc repro`", file=sys.stderr)
    return report_of(results, compare, schedules, train, methods)
