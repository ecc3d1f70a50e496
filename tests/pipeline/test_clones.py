"""A colleague's clean clone takes every network from the remote."""

import pytest

from tests.pipeline.conftest import CHANGE
from tests.pipeline.project import ran, restored

pytestmark = pytest.mark.slow


def test_a_clone_without_a_remote_runs_the_chain_of_another_headline(study, tmp_path):
    """Its networks come out as they were, so the results in git are up to date."""
    clone = study.project.clone(tmp_path / "clone")
    clone.set("retrain.schedule", "weight_rewind")
    assert ran(clone.dvc("repro", "headline")) == {
        *("validate", "prepare", "rehearse", "dense_curve", "train", "checkpoint"),
        *("prune@l1", "plan@l1", "retrain@l1-weight_rewind", "headline"),
    }
    assert clone.run("git", "status", "--porcelain", "reports", "build").count("\n") == 1


def test_a_clone_runs_nothing(clone):
    assert ran(clone.dvc("repro", "--pull")) == set()
    assert clone.run("git", "status", "--porcelain") == ""


def test_a_clone_without_its_lock_trains_nothing(clone):
    before = clone.files("reports")
    (clone.folder / "dvc.lock").unlink()
    said = clone.dvc("repro", "--pull")
    arms = ("l1-onecycle", "l1-weight_rewind")
    evaluations = {"evaluate_dense", "evaluate_pruned@l1", *(f"evaluate@{arm}" for arm in arms)}
    assert ran(said) == {"code", *evaluations, "headline", "compare"}
    assert restored(said) >= {"train", "checkpoint", "prune@l1", *(f"retrain@{a}" for a in arms)}
    assert clone.files("reports") == before


def test_a_clone_with_one_arm_changed_reports_what_everyone_would(clone, changed):
    clone.set(*CHANGE)
    said = clone.dvc("repro", "--pull", "--allow-missing")
    assert ran(said) == changed.ran
    assert clone.files("reports") == changed.project.files("reports")
