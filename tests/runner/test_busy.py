"""A `dvc repro` beside the runner, and the other way round."""

import pytest

from tests.pipeline.project import ran, wait_until
from tests.runner.test_failures import SLOW
from tests.runner.twins import UP_TO_DATE, entries, runner, spawn, status

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

WAITING = {
    **SLOW,
    "slow.sh": "echo run >> runs; until test -e go; do sleep 0.1; done; echo slow > slow.txt\n",
}


def started(project):
    return (project.folder / "runs").exists()


def runs(project):
    return (project.folder / "runs").read_text().count("run")


def test_dvc_beside_the_runner_is_busy_and_runs_nothing(repository):
    project = repository(WAITING)
    process = spawn(project)
    wait_until(lambda: started(project))
    said = project.dvc("repro", "slow", code=255)
    assert "is busy" in said
    assert ran(said) == set()
    (project.folder / "go").touch()
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert runs(project) == 1
    assert status(project) == UP_TO_DATE


def test_the_runner_beside_dvc_is_busy_and_runs_nothing(repository):
    project = repository(WAITING)
    process = project.start("dvc", "repro", "slow")
    wait_until(lambda: started(project))
    said = runner(project, "slow", code=1)
    assert "slow failed: '" in said
    assert "is busy" in said
    assert entries(project) == {}
    (project.folder / "go").touch()
    process.communicate(timeout=20)
    assert runs(project) == 1
    assert runner(project).endswith("2 ran, 1 unchanged\n")
    assert status(project) == UP_TO_DATE


def test_another_stage_can_be_reproduced_beside_the_runner(repository):
    project = repository(WAITING)
    process = spawn(project, "slow")
    wait_until(lambda: started(project))
    assert ran(project.dvc("repro", "quick")) == {"quick"}
    (project.folder / "go").touch()
    process.communicate(timeout=20)
    assert set(entries(project)) == {"quick", "slow"}
