"""The study that is killed: every kind of stage there is, each a matter of seconds."""

import sys
from pathlib import Path

import yaml

from tests.pipeline.conftest import ROUNDS
from tests.pipeline.project import Project, copy_tree, environment, shrink

COMMANDS = {"dvc": ("dvc", "repro"), "afterprune": (sys.executable, "-m", "stages.commands", "run")}
EPOCHS = 30


def make(folder: Path) -> Project:
    """Return the study in a fresh repository: nothing has run."""
    (folder / "tmp").mkdir(parents=True)
    variables = {"PYTHONUNBUFFERED": "1", "TMPDIR": str(folder / "tmp")}
    project = Project(folder / "pristine", {**environment(folder), **variables})
    copy_tree(project.folder)
    params = shrink(project.params())
    params["train"]["epochs"] = params["retrain"]["epochs"] = EPOCHS
    rewinding = params["retrain"]["schedules"]["weight_rewind"]
    params["retrain"] |= {"schedule": "weight_rewind", "schedules": {"weight_rewind": rewinding}}
    params["prune"]["iterative"] = {"rounds": ROUNDS}
    (project.folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    project.run("git", "init", "--quiet")
    project.commit("code")
    return project
