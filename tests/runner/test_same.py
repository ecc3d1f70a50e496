"""Afterwards DVC cannot tell who ran the pipeline."""

import shlex
import shutil

import pytest

from tests.pipeline.project import ran
from tests.runner.pipelines import SEVERAL
from tests.runner.twins import RUNNER, UP_TO_DATE, entries, status, twins

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


def test_a_fresh_run_of_any_pipeline(shape):
    shape.run()
    shape.assert_same()
    assert ran(shape.parallel.dvc("repro")) <= {"always", "callback"}


def test_again_after_a_change_of_any_pipeline(shape):
    shape.run()
    shape.both(lambda project: project.append("params.yaml", "other: 1\n"))
    for name in ("raw/input.txt", "ice.txt"):
        if (shape.plain.folder / name).exists():
            shape.write(name, "changed\n")
    shape.run()
    shape.assert_same()


def test_only_what_changed_runs(fan):
    fan.run()
    fan.both(lambda project: project.set("items", {"a": 1, "b": 5, "c": 3, "d": 4}))
    said = fan.run()
    fan.assert_same()
    assert {line.split()[1] for line in said.splitlines() if line.startswith("run ")} == {
        "part@b",
        "part@d",
    }
    assert "1 unchanged" not in said
    assert list(entries(fan.parallel)) == list(entries(fan.plain))


def test_nothing_to_do(fan):
    fan.run()
    assert fan.run() == "5 unchanged\n"
    assert status(fan.parallel) == UP_TO_DATE


def test_results_come_back_from_the_run_cache(fan):
    fan.run()
    fan.both(lambda project: (project.folder / "dvc.lock").unlink())
    fan.both(lambda project: shutil.rmtree(project.folder / "parts"))
    said = fan.run()
    fan.assert_same()
    assert "restored  part@a" in said
    assert not [line for line in said.splitlines() if line.startswith("run ")]


def test_targets_and_what_they_need_alone(fan):
    said = fan.run("part@b")
    assert set(entries(fan.parallel)) == {"zero", "part@b"}
    assert said.endswith("2 ran\n")
    fan.run()
    fan.assert_same()


def test_an_experiment_on_top(fan):
    fan.run()
    fan.both(lambda project: project.commit())
    said = fan.parallel.dvc("exp", "run", "-S", "n=2", "--name", "trial")
    assert ran(said) == {"zero"}
    fan.plain.dvc("exp", "run", "-S", "n=2", "--name", "trial")
    fan.assert_same()


def test_from_a_subfolder_as_dvc_does(tmp_path):
    both = twins(tmp_path, SEVERAL)
    both.plain.run("sh", "-c", "cd sub && dvc repro")
    said = both.parallel.run("sh", "-c", f"cd sub && {shlex.join(RUNNER)}")
    assert said.endswith("5 ran\n")
    both.assert_same()
    both.run()
    both.assert_same()
