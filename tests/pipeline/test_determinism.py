"""Outputs are the same bytes whenever, wherever and with whatever neighbours they are computed."""

import shutil

import pytest
import yaml

from stages.declaration import declared
from tests.pipeline.project import Project

ITERATIVE = tuple(f"{name}_iterative" for name in ("prune", "curves", "baseline", "evaluate"))
SLOW = (
    *("validate", "prepare", "dense_curve", "train", "checkpoint", "prune", "curves", "baseline"),
    *("evaluate", "headline", "compare", "iterate", *ITERATIVE),
)
CHECKED = {"validate": ["data/raw", "stages/models/resnet.py"]}  # that they exist


@pytest.mark.parametrize(
    "name", ["retrain", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]
)
def test_a_stage_needs_nothing_but_what_it_declares(request, tmp_path, monkeypatch, name):
    """Run in a folder that holds the declared dependencies alone, it gives the same bytes."""
    iterative = name == "iterate" or name in ITERATIVE
    project = request.getfixturevalue("iterated" if iterative else "study").project
    arm = {"method": "rounds" if iterative else "l1", "schedule": "onecycle"}
    monkeypatch.chdir(project.folder)
    stage = yaml.safe_load((project.folder / "dvc.yaml").read_text())["stages"][name]
    items = {axis: arm[axis] for axis in stage.get("matrix", ())}
    declaration = declared(name, items)
    packages = project.folder.glob("stages/**/__init__.py")
    inits = [str(path.relative_to(project.folder)) for path in packages]
    known = ["dvc.yaml", "params.yaml", *inits, *CHECKED.get(name, ())]
    for path in (*known, *declaration.deps):
        source, target = project.folder / path, tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
    alone = Project(tmp_path, project.environment)
    launched = stage["cmd"].replace("${item.", "{").format(**items)
    command = launched.replace("stages.launch ", "stages.")
    alone.run(*command.split())
    for path in declaration.outs:
        assert content(alone, path) == content(project, path)


def content(project, path):
    file = project.folder / path
    return file.read_bytes() if file.is_file() else project.files(path)


@pytest.mark.slow
def test_a_forced_rerun_gives_the_same_bytes_with_any_number_of_workers(project):
    before = project.outputs()
    shutil.rmtree(project.folder / ".state")
    project.dvc("repro", "--force", AFTERPRUNE_WORKERS="1")
    assert project.outputs() == before
