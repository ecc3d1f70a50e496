"""What git shows when one arm of a study comes out otherwise."""

from difflib import unified_diff
from functools import partial

import pytest

from stages.pipeline.files import write_json
from stages.reporting.curves import write_curves
from stages.reporting.headline import arm_accuracies
from stages.reporting.page import page, write_figures, write_tables
from stages.results.files import arm_path, dense_path, pruned_path, write_result
from tests.reporting.helpers import report_of
from tests.results import study

METHODS = ["l1", "random"]
SCHEDULES = ["finetune", "weight_rewind", "lr_rewind", "scaled", "onecycle", "tuned"]
SEEDS, EPOCHS = 12, 8
MOST = 220
"""Of 300 lines of a commit: dvc.lock changes by about 80."""


@pytest.fixture
def written(tmp_path):
    """Return a function that writes a study and its report and returns the lines of each file."""

    def write(name, change):
        folder = tmp_path / name
        write_result(dense_path(folder), study.dense(SEEDS))
        for method in METHODS:
            write_result(pruned_path(folder, method), study.pruned(method, SEEDS))
            for schedule in SCHEDULES:
                arm = study.arm(method, schedule, SEEDS, EPOCHS)
                write_result(arm_path(folder, method, schedule), change(arm))
        report = report_of(folder, METHODS, SCHEDULES)
        write_tables(folder / "tables", report)
        write_figures(folder / "figures", report)
        write_curves(folder / "curves", report.results)
        write_json(folder / "accuracy.json", arm_accuracies(report.results))
        (folder / "README.md").write_text(page(report))
        files = [path for path in folder.rglob("*") if path.is_file()]
        return {str(p.relative_to(folder)): p.read_text().splitlines() for p in files}

    return write


def worse(by, arm):
    """Return onecycle with every accuracy of every replicate lower by a fraction."""
    if (arm.method, arm.schedule) != ("l1", "onecycle"):
        return arm
    tree = arm.model_dump()
    for run in tree["replicates"]:
        history = run["history"]
        for key in ("test_accuracy", "validation_accuracy"):
            history[key] = [round(value - by, 6) for value in history[key]]
        for scores in (*run["last"].values(), run["selected"]["test"], run["test_best"]):
            scores["accuracy"] = round(scores["accuracy"] - by, 6)
    return type(arm).model_validate(tree)


@pytest.mark.parametrize("by", [0.0003, 0.01, 0.05])
def test_another_outcome_of_one_arm_is_a_short_difference(by, written):
    before, after = written("before", lambda arm: arm), written("after", partial(worse, by))
    assert before.keys() == after.keys()
    changed = {file: difference(before[file], after[file]) for file in before}
    assert changed["arms/l1/onecycle.json"] == 2 * SEEDS
    assert changed["arms/l1/scaled.json"] == 0
    assert sum(changed.values()) <= MOST, {file: n for file, n in changed.items() if n}


def difference(before, after):
    """Return the number of lines that are added and removed."""
    lines = unified_diff(before, after, n=0, lineterm="")
    return sum(line[0] in "+-" and line[:3] not in ("+++", "---") for line in lines)
