"""A sample of all kinds of mistakes in processes of their own, as people meet them."""

import os
import subprocess
import sys

import pytest

from tests.mistakes.edits import edit
from tests.mistakes.harness import Ended, check, nothing_done

SAMPLE = {
    "a value": ({"seed": "true"}, ["stages.validate"], ["params.yaml: seed is True; it should be"]),
    "three values": (
        {"seed": "true", "seeds": "0", "train.lr": "0"},
        ["stages.validate"],
        ["seed is True", "seeds is 0", "train.lr is 0"],
    ),
    "an option": ({}, ["stages.prune", "--metod", "l1"], ["no option --metod; did you mean '--me"]),
    "a name": ({}, ["stages.prune", "--method", "l11"], ["--method is 'l11'; did you mean 'l1'?"]),
    "a command": ({}, ["stages.commands", "curve"], ["no command 'curve'; did you mean 'curves'?"]),
    "a command's option": (
        {},
        ["stages.commands", "run", "--wrokers", "2"],
        ["afterprune run --wrokers 2: no option --wrokers; did you mean '--workers'?"],
    ),
    "a null": (
        {"data.root": "null"},
        ["stages.commands", "run"],
        ["params.yaml: data.root is None; it should be a valid string"],
    ),
    "a file of a network": (
        {"model.factory": "torch"},
        ["stages.rehearse"],
        ["model.factory: stages/models/resnet.py has no factory 'torch'; did you mean"],
    ),
}


QUICK = ("three values", "a command", "a null")


@pytest.mark.parametrize(
    "what", [w if w in QUICK else pytest.param(w, marks=pytest.mark.slow) for w in SAMPLE]
)
def test_a_mistake_is_a_line_of_a_process_too(project, what):
    changes, words, lines = SAMPLE[what]
    edit(changes)
    with nothing_done(project):
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=project, capture_output=True, text=True
        )
    check(Ended(done.returncode, done.stdout.splitlines(), done.stderr.splitlines()), *lines)


@pytest.mark.slow
def test_dvc_stops_at_a_pipe_among_the_images(project):
    """DVC digests data.root before `prepare` runs, and would wait for ever."""
    os.mkfifo(project / "data/raw/pipe.png")
    edit({})
    command = [sys.executable, "-m", "dvc", "repro", "prepare"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "params.yaml: 'data/raw/pipe.png' is a named pipe; below data.root" in done.stderr
