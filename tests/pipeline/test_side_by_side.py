"""Two `dvc repro`, `afterprune run`, an experiment in a copy and readers, all at once."""

import re
import sys
import time

import pytest

from tests.pipeline.project import wait_until

RUN = re.compile(r"^(?:Running stage '([^']+)':|run +(\S+)  on)", re.MULTILINE)
COMMANDS = {
    "first": ("dvc", "repro"),
    "second": ("dvc", "repro"),
    "runner": (sys.executable, "-m", "stages.commands", "run"),
    "experiment": ("dvc", "exp", "run", "--temp", "--name", "beside"),
}
PATIENCE = 600


def all_at_once(project):
    """Run the commands until each has succeeded once; return what each said in all tries."""
    said = dict.fromkeys(COMMANDS, "")
    running = {name: project.start(*command) for name, command in COMMANDS.items()}
    deadline = time.monotonic() + PATIENCE
    while running and time.monotonic() < deadline:
        project.run("dvc", "params", "diff")
        for name, process in list(running.items()):
            if process.poll() is not None:
                said[name] += running.pop(name).stdout.read()
                if process.returncode:
                    running[name] = project.start(*COMMANDS[name])
    assert not running
    return said


@pytest.mark.slow
def test_side_by_side_each_replicate_is_trained_once_and_all_end_alike(project, tmp_path):
    project.set("train.epochs", 20)
    project.commit("more epochs")
    undisturbed = project.copy(tmp_path / "undisturbed")
    undisturbed.dvc("repro")
    said = all_at_once(project)
    assert any("train" in {a or b for a, b in RUN.findall(text)} for text in said.values())
    assert project.outputs() == undisturbed.outputs()
    wait_until(lambda: project.dvc("status") == "Data and pipelines are up to date.\n")
    state = project.folder / ".state"
    trained = [path.name for path in state.glob("train-*") if path.is_dir()]
    assert len(trained) == len({*trained}) == len(list(undisturbed.folder.glob(".state/train-*/")))
    assert not list(state.glob("*.partial"))
