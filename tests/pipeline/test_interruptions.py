"""Stages that are edited or killed while they run, and replicates that outlive it."""

import fcntl
import os
import signal
import sys
import time
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from tests.pipeline.project import ran, wait_until

WAITING = "another process computes this replicate: waiting for it\n"


@contextmanager
def held(project):
    """Hold the lock of every known replicate: a stage that computes one starts and waits."""
    with ExitStack() as stack:
        for path in (project.folder / ".state").glob("*.lock"):
            fcntl.flock(stack.enter_context(path.open()), fcntl.LOCK_EX)
        yield


def start_train(project):
    """Start `dvc repro` of the dense training; return when its replicates wait for a lock."""
    process = project.start("dvc", "repro", "--force", "--single-item", "train")
    for line in process.stdout:
        if line == WAITING:
            return process
    raise AssertionError("train ended early")


def alive(project):
    """Return the processes that work in the project's folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(project.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_code_edited_while_a_stage_runs_drops_its_outputs(project):
    lock = (project.folder / "dvc.lock").read_bytes()
    with held(project):
        process = start_train(project)
        project.append("stages/training/loop.py", "EDITED = True\n")
    said, _ = process.communicate()
    assert process.returncode != 0
    assert "build/code.json: the code of train has another digest now; run `dvc repro" in said
    assert not (project.folder / "models/dense").exists()
    assert (project.folder / "dvc.lock").read_bytes() == lock
    assert not any((project.folder / "build/aside").iterdir())


def test_data_edited_while_a_stage_runs_drops_its_outputs(project):
    lock = (project.folder / "dvc.lock").read_bytes()
    with held(project):
        process = start_train(project)
        project.replace("data/prepared/train_index.npy", b"edited")
    said, _ = process.communicate()
    assert process.returncode != 0
    assert (
        "stage 'train': data/prepared/train_index.npy changed while it ran; "
        "its outputs are dropped, run `dvc repro` again\n"
    ) in said
    assert (project.folder / "dvc.lock").read_bytes() == lock


@pytest.mark.parametrize("stage", ["dense_curve", "validate"])
def test_code_edited_behind_the_digests_is_refused(project, stage):
    """As by `dvc repro --single-item`, or after `dvc commit --force`, which records anything."""
    project.append("stages/schedules/decays.py", "EDITED = True\n")
    project.dvc("commit", "--force", "--quiet")
    said = project.dvc("repro", "--force", "--single-item", stage, code=255)
    assert "has another digest now; run `dvc repro -f -s code`, then `dvc repro`" in said
    project.dvc("repro", "--force", "--single-item", "code")
    assert ran(project.dvc("repro", "dense_curve")) == {"validate", "dense_curve"}


@pytest.mark.slow
def test_a_killed_dvc_takes_its_trainers_along(project):
    before = project.outputs()
    with held(project):
        process = start_train(project)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        wait_until(lambda: not alive(project))
    assert ran(project.dvc("repro", "--force", "--single-item", "train")) == {"train"}
    assert project.outputs() == before


@pytest.mark.slow
def test_a_run_killed_while_training_ends_as_if_it_had_not_been(project, tmp_path):
    project.set("train.epochs", 200)
    undisturbed = project.copy(tmp_path / "undisturbed")
    process = project.start("dvc", "repro", "train")
    state = project.folder / ".state"
    wait_until(lambda: list(state.glob("*.partial/progress_*.safetensors")), 60)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not alive(project))
    assert list(state.glob("*.partial/progress_*.safetensors"))
    for each in (project, undisturbed):
        assert "train" in ran(each.dvc("repro", "train"))
    assert project.outputs() == undisturbed.outputs()


def test_a_kept_network_with_a_flipped_bit_is_trained_again(project):
    before = project.outputs()
    (network,) = project.folder.glob(".state/train-0-*/networks/final/replicate_0.safetensors")
    content = bytearray(network.read_bytes())
    content[-1] ^= 1
    project.replace(network, content)
    said = project.dvc("repro", "--force", "--single-item", "train")
    line = "networks/final/replicate_0.safetensors is damaged; it is computed again\n"
    assert said.count(line) == 1
    assert project.outputs() == before


@pytest.mark.slow
def test_one_more_seed_trains_one_more_replicate(project):
    state = project.folder / ".state"

    def finished():
        return {path: path.stat().st_mtime_ns for path in state.iterdir() if path.is_dir()}

    before = finished()
    dense = project.files("models/dense")
    project.set("seeds", 3)
    assert ran(project.dvc("repro", "train")) == {"validate", "train"}
    after = finished()
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1
    assert dense.items() <= project.files("models/dense").items()


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["stage", "group"])
def test_a_stage_that_is_told_to_stop_saves_and_ends_with_143(project, tmp_path, whom):
    project.set("train.epochs", 200)
    undisturbed = project.copy(tmp_path / "undisturbed")
    project.dvc("repro", "dense_curve")
    process = project.start(sys.executable, "-m", "stages.train")
    state = project.folder / ".state"
    wait_until(lambda: list(state.glob("*.partial/progress_*.safetensors")), 60)
    (os.killpg if whom == "group" else os.kill)(process.pid, signal.SIGTERM)
    begun = time.monotonic()
    said, _ = process.communicate()
    assert time.monotonic() - begun < 10  # not the time to the end of 200 epochs
    assert process.returncode == 128 + signal.SIGTERM
    assert said == "stopped by SIGTERM; run it again to go on from what is kept\n"
    assert not alive(project)
    assert not any((project.folder / "build/aside").iterdir())
    for each in (project, undisturbed):
        assert "train" in ran(each.dvc("repro", "train"))
    assert project.outputs() == undisturbed.outputs()
