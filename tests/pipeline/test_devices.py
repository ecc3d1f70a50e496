"""A whole study in which two processes train every replicate."""

import json
import shutil

import pytest

from tests.pipeline.conftest import ROUNDS
from tests.pipeline.project import ran

TRAINING = {"train", "checkpoint", "iterate@rounds-onecycle", "retrain@l1-onecycle"}


@pytest.mark.slow
def test_a_study_on_two_devices_runs_and_gives_the_same_bytes_twice(project):
    project.set("prune.iterative.rounds", ROUNDS)
    project.set("train.devices", 2)
    made = ran(project.dvc("repro"))
    assert made > TRAINING
    assert "prepare" not in made
    file = project.folder / "models/environments/rounds/onecycle.json"
    assert json.loads(file.read_text())["devices"] == 2
    assert "devices 2" in (project.folder / "reports/README.md").read_text()
    before = project.outputs()
    shutil.rmtree(project.folder / ".state")
    project.dvc("repro", "--force", AFTERPRUNE_WORKERS="2")
    assert project.outputs() == before


@pytest.mark.slow
def test_a_fault_on_several_devices_is_one_line(project):
    project.set("train.devices", 2)
    project.set("train.lr", 1e30)
    said = project.dvc("repro", "train", code=255)
    lines = said[said.index("> python -m stages.train\n") :].splitlines()
    assert ": the dense network diverged in epoch 1, at learning rates up to 1e+30 (" in lines[1]
    assert lines[2].startswith("ERROR: failed to reproduce 'train'")
