"""`explain` says before `dvc repro` what `dvc repro` then does."""

import re
import shutil

import pytest

from tests.pipeline.project import ran, restored

LINE = re.compile(r"^(\S+) +(runs|restored|may run)  +\S", re.MULTILINE)


def forecast_and_repro(project, *targets):
    """Return what ran or was restored; an assertion that `explain` foresaw it."""
    said = project.run("python", "-m", "stages.commands.explain", *targets)
    verdicts = {"runs": set(), "restored": set(), "may run": set()}
    for stage, verdict in LINE.findall(said):
        verdicts[verdict].add(stage)
    done = project.dvc("repro", *targets)
    assert verdicts["runs"] <= ran(done) | restored(done), said
    assert ran(done) <= verdicts["runs"] | verdicts["may run"], said
    assert verdicts["restored"] <= restored(done) <= set().union(*verdicts.values()), said
    return ran(done), restored(done)


def test_code_and_numbers(project):
    project.set("retrain.schedules.onecycle.max_lr", 0.05)
    project.append("stages/evaluation/metrics.py", "\nADDED = 1\n")
    run, back = forecast_and_repro(project)
    assert {"code", "validate", "plan@l1", "evaluate_dense"} <= run
    assert "retrain@l1-weight_rewind" not in run | back


def test_what_ran_before(project):
    shutil.rmtree(project.folder / "models/plans/l1")
    assert forecast_and_repro(project) == (set(), {"plan@l1"})
    assert forecast_and_repro(project) == (set(), set())


@pytest.mark.slow
def test_many_changes_one_after_another(project):
    def number(value):
        project.set("retrain.schedules.onecycle.max_lr", value)

    def code(path, text="\nADDED = 1\n"):
        project.append(path, text)

    def lose(*paths):
        for path in paths:
            shutil.rmtree(project.folder / path)

    for change in (
        lambda: number(0.05),
        lambda: number(0.1),
        lambda: code("stages/training/loop.py", '\n"""A docstring."""\n'),
        lambda: code("stages/training/loop.py"),
        lambda: code("stages/schedules/shapes.py"),
        lambda: project.set("retrain.epochs", 1),
        lambda: lose("models/dense", "data/prepared"),
        lambda: project.set("retrain.schedules.mine", {"curve": "constant", "lr": 0.01}),
    ):
        change()
        forecast_and_repro(project)
    forecast_and_repro(project.clone(project.folder.parent / "clone"), "prepare")
