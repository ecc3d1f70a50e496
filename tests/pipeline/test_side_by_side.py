"""Two `dvc repro`, `afterprune run`, an experiment in a copy and readers, all at once.

A run that finds a stage busy fails and has to be called again: that is DVC's own lock of outputs.
"""

import sys
import time
from collections import Counter

import pytest

from tests.pipeline.project import wait_until

TARGET = "evaluate@l1-onecycle"
COMMANDS = {
    "first": ("dvc", "repro", TARGET),
    "second": ("dvc", "repro", TARGET),
    "runner": (sys.executable, "-m", "stages.commands", "run", TARGET),
    "experiment": ("dvc", "exp", "run", "--temp", "--name", "beside", TARGET),
}
PATIENCE = 600
TELL = """
import os

def tell(*words):
    with open("{events}", "a") as file:
        file.write(" ".join([os.getcwd(), *words]) + "\\n")
"""
GUARD = f"""{TELL}
unwatched = guarded

@contextmanager
def guarded(module, **items):
    with unwatched(module, **items) as stage:
        tell("begin", stage.name)
        try:
            yield stage
        finally:
            tell("end", stage.name)
"""
FIT = f"""{TELL}
unwatched = fit

def fit(run, folder, name, number, *others, **more):
    tell("train", name, str(number))
    return unwatched(run, folder, name, number, *others, **more)
"""
"""What says in a file, and where, which stages begin and end and which replicates are trained."""


def all_at_once(project):
    """Run the commands until each has succeeded once."""
    running = {name: project.start(*command) for name, command in COMMANDS.items()}
    deadline = time.monotonic() + PATIENCE
    while running and time.monotonic() < deadline:
        project.run("dvc", "params", "diff")
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                process.stdout.read()
                if process.returncode:
                    running[name] = project.start(*COMMANDS[name])
    assert not running


@pytest.mark.slow
def test_side_by_side_each_replicate_is_trained_once_and_all_end_alike(study, tmp_path):
    """A stage never runs beside itself in one folder; one after the other it may run twice.

    That is DVC's own: a command that ends while another DVC holds the lock for more than 3 s is not
    recorded, and one that keeps `cache: false` outputs is not taken from the run-cache.
    """
    project = study.project.clone(tmp_path / "clone")
    (project.folder / "dvc.lock").unlink()
    events = tmp_path / "events"
    project.append("stages/pipeline/guard.py", GUARD.replace("{events}", f"{events}"))
    project.append("stages/training/fit.py", FIT.replace("{events}", f"{events}"))
    project.commit("nothing has run")
    all_at_once(project)
    said = [line.split(maxsplit=2) for line in events.read_text().splitlines()]
    trained = Counter(words for _, kind, words in said if kind == "train")
    assert trained == dict.fromkeys(["dense 0", "dense 1", "l1 onecycle 0", "l1 onecycle 1"], 1)
    running = set()
    for folder, kind, name in said:
        if kind == "begin":
            assert (folder, name) not in running
            running.add((folder, name))
        elif kind == "end":
            running.remove((folder, name))
    assert not running
    assert project.outputs().items() <= study.project.outputs().items()
    assert "reports/arms/l1/onecycle.json" in project.outputs()
    wait_until(lambda: project.dvc("status", TARGET) == "Data and pipelines are up to date.\n")
    assert not list(project.folder.glob(".state/*.partial"))
