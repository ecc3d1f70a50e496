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


def diverge(folder, method, schedule, seeds=None, *, epoch=2, lr=100.0, loss=None):
    """Have replicates of an arm diverge, all where no seeds are given."""
    path = folder / "arms" / method / f"{schedule}.json"
    arm = json.loads(path.read_text())
    gone = [run for run in arm["replicates"] if seeds is None or run["seed"] in seeds]
    arm["replicates"] = [run for run in arm["replicates"] if run not in gone]
    arm["diverged"] = [
        {
            "seed": run["seed"],
            "lr_scale": run["lr_scale"],
            "round": 1,
            "epoch": epoch,
            "lr": lr,
            "loss": loss,
            "history": {key: values[: epoch - 1] for key, values in run["history"].items()},
        }
        for run in gone
    ]
    path.write_text(json.dumps(arm))
