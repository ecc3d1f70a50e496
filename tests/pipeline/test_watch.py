import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from stages.pipeline import watch

ROOT = Path(__file__).parents[2]
LIMIT = 3.0
CHILD = """
import os, sys, time
from stages.pipeline import watch
watch.SECONDS = 0.05
parent = os.getpid()
if os.fork() == 0:
    watch.end_with_parent(parent)
    print("ready", flush=True)
    time.sleep(60)
time.sleep(60)
"""
STAGE = """
import sys, time
from stages.pipeline import watch
watch.SECONDS = 0.05
watch.end_with_dvc()
print("ready", flush=True)
time.sleep(float(sys.argv[1]))
print("finished", flush=True)
"""


@pytest.fixture
def begin():
    """Return a function that starts a command that says when it is ready; it ends with the test."""
    started = []

    def start(*command, **environment):
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        # the stage may outlive its parent, which may be a zombie: end the whole session
        with suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()


def said_until_all_are_gone(process):
    """Return the rest of what a process and its children say; a Timeout when one lives on."""
    os.set_blocking(process.stdout.fileno(), False)
    said, deadline = b"", time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        part = process.stdout.read()
        if part == b"":
            return said.decode()
        said += part or b""
        time.sleep(0.01)
    raise TimeoutError(f"still running after {LIMIT} s; it said {said!r}")


@pytest.fixture
def dvc(tmp_path, begin):
    """Return a function that runs a stage, so many seconds long, below a command called dvc."""
    script = tmp_path / "dvc"
    script.write_text(f"#!/bin/sh\n'{sys.executable}' -c '{STAGE}' $1\nexit $?\n")
    script.chmod(0o755)
    return lambda seconds: begin(script, str(seconds), DVC_STAGE="train")


def test_a_forked_process_ends_with_its_parent(begin):
    process = begin(sys.executable, "-c", CHILD)
    process.kill()
    process.wait()
    assert said_until_all_are_gone(process) == ""


def test_a_stage_ends_with_dvc_and_says_so(dvc):
    process = dvc(60)
    process.kill()
    process.wait()
    said = said_until_all_are_gone(process)
    assert said == "DVC is gone: this stage stops; run `dvc repro` to go on\n"


def test_a_stage_ends_with_a_dvc_that_nobody_buried(dvc):
    """A killed process is a zombie until its parent asks for it, which some never do."""
    process = dvc(60)
    process.kill()
    assert "DVC is gone" in said_until_all_are_gone(process)


def test_a_stage_goes_on_while_dvc_lives(dvc):
    process = dvc(0.3)
    assert said_until_all_are_gone(process) == "finished\n"
    assert process.wait() == 0


def test_a_stage_whose_dvc_was_gone_before_it_looked_stops(begin):
    """Imports take seconds; without this it would train to the end beside the next one."""
    stage = [
        sys.executable,
        "-c",
        STAGE.replace("watch.end", "print('ready', flush=True); watch.end", 1),
        "60",
    ]
    process = begin(*stage, DVC_STAGE="train")
    assert said_until_all_are_gone(process) == f"{watch.GONE}\n"
    assert process.wait() == 1


def test_a_stage_of_the_runner_has_no_dvc_to_watch(begin):
    process = begin(sys.executable, "-c", STAGE, "0.2", DVC_STAGE="train", AFTERPRUNE_RUNNER="1")
    assert said_until_all_are_gone(process) == "finished\n"


def test_a_stage_run_by_hand_watches_nobody(begin):
    process = begin(sys.executable, "-c", STAGE, "0.2")
    assert said_until_all_are_gone(process) == "finished\n"


def test_a_process_looks_often_enough():
    assert 0 < watch.SECONDS <= 1
