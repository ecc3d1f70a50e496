"""Studies with chosen accuracies, and reports of them."""

import json
from dataclasses import replace

from stages.reporting.report import report_of as reported
from stages.reporting.settings import Compare
from stages.results.files import read_results


def report_of(folder, methods, schedules, entries=None, dense_peak=None, pruning=None, **settings):
    """Return the report of a study; `entries` are of the schedules, `pruning` of the methods."""
    names = {"baseline": schedules[0], "informed": methods[0], "random": methods[-1]}
    entries = entries or {name: {"curve": name} for name in schedules}
    results = read_results(folder, methods, schedules)
    report = reported(results, Compare(**names | settings), entries, pruning=pruning)
    return replace(report, dense_peak=dense_peak)


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


def count_images(folder, images=(100, 100, 0)):
    """Give all records of a study classes (cat, dog, and owl, without images), bins and distances.

    Each replicate has its accuracy in each class. Half of its images have a confidence of 0.6, the
    others one of 0.9; it is right in those first.
    """
    path = folder / "dense.json"
    dense = json.loads(path.read_text())
    dense |= {"classes": ["cat", "dog", "owl"], "class_images": images, "file_bytes": 4000}
    for run in dense["replicates"]:
        run |= _counted(run["test"]["accuracy"], images)
    path.write_text(json.dumps(dense))
    for path in folder.glob("arms/*/*.json"):
        arm = json.loads(path.read_text()) | {"file_bytes": 1000}
        for run in arm["replicates"]:
            run |= _counted(run["last"]["test"]["accuracy"], images)
            run |= {"distance": 0.25 + run["seed"] / 100, "sign_flips": 0.05}
        path.write_text(json.dumps(arm))


def _counted(accuracy, images):
    right, half = round(accuracy * sum(images)), sum(images) // 2
    bins = {name: [0] * 15 for name in ("images", "confidence", "correct")}
    sure = min(right, half)
    for at, confidence, correct in ((8, 0.6, right - sure), (13, 0.9, sure)):
        bins["images"][at], bins["correct"][at] = half, correct
        bins["confidence"][at] = half * confidence
    return {"class_correct": [round(accuracy * number) for number in images], "bins": bins}
