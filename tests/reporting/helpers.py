"""Studies with chosen accuracies, and reports of them."""

import json

from stages.reporting.report import Report
from stages.reporting.settings import Compare
from stages.results.files import read_results


def report_of(folder, methods, schedules, entries=None, **settings):
    """Return the report of a study; `entries` are the schedules' settings in params.yaml."""
    names = {"baseline": schedules[0], "informed": methods[0], "random": methods[-1]}
    entries = entries or {name: {"curve": name} for name in schedules}
    return Report(read_results(folder, methods, schedules), Compare(**names | settings), entries)


def change(folder, method, schedule, test=None, validation=None, **changes):
    """Set keys of an arm, and its last accuracies, one per replicate."""
    path = folder / "arms" / method / f"{schedule}.json"
    arm = json.loads(path.read_text()) | changes
    for split, values in (("test", test), ("validation", validation)):
        for run, value in zip(arm["replicates"], values or [], strict=False):
            run["last"][split]["accuracy"] = value
    path.write_text(json.dumps(arm))
