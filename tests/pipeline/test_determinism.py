"""Outputs are the same bytes whenever, wherever and with whatever neighbours they are computed."""

import shutil
from functools import cache

import pytest
import yaml

from stages.pipeline.declaration import declared
from stages.pipeline.digests import PLUMBING, code_files, read_code
from tests.pipeline.plumbing import STUB, commands
from tests.pipeline.project import Project

ITERATIVE = ("prune_iterative", "plan_iterative", "iterate", "evaluate_pruned_iterative")
ITERATIVE += ("evaluate_iterative",)
STAGES = (
    *("validate", "prepare", "rehearse", "dense_curve", "train", "checkpoint", "prune", "plan"),
    *("retrain",),
    *("evaluate_dense", "evaluate_pruned", "evaluate", "headline", "compare", *ITERATIVE),
)
QUICK = ("plan", "retrain", "evaluate", "compare")
CHECKED = {"validate": ["data/raw", "stages"]}  # that the one exists, and the other's digests


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in STAGES]
)
def test_a_stage_needs_nothing_but_what_it_declares(request, tmp_path, monkeypatch, name):
    """In a folder that holds its data, keys and digested code alone, it gives the same bytes."""
    iterative = name in ITERATIVE
    project = request.getfixturevalue("iterated" if iterative else "study").project
    arm = {"method": "rounds" if iterative else "l1", "schedule": "onecycle"}
    monkeypatch.chdir(project.folder)
    stage = yaml.safe_load((project.folder / "dvc.yaml").read_text())["stages"][name]
    items = {axis: arm[axis] for axis in stage.get("matrix", ())}
    options = " ".join(f"--{axis} {value}" for axis, value in items.items())
    command = stage["cmd"].replace("${item}", options).split()
    module = command[2].removeprefix("stages.")
    declaration = declared(module, items)
    assert declaration.name == name
    code = code_files(module, project.params()["model"]["code"], cache(read_code))
    known = ["dvc.yaml", "params.yaml", "build/code.json", *PLUMBING, *CHECKED.get(name, ())]
    for path in (*known, *code, *declaration.deps):
        source, target = project.folder / path, tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            shutil.copy2(source, target)
    alone = Project(tmp_path, project.environment)
    alone.run(*command)
    for path in declaration.outs:
        assert content(alone, path) == content(project, path)


def content(project, path):
    file = project.folder / path
    return file.read_bytes() if file.is_file() else project.files(path)


@pytest.mark.slow
def test_a_study_run_by_other_plumbing_gives_the_same_bytes(project):
    """What the digests leave out cannot matter: thirty lines in its place give equal outputs."""
    made = ("data/prepared", "models", "reports")
    before = {path: content(project, path) for path in made}
    for path in made:
        shutil.rmtree(project.folder / path)
    for path in PLUMBING:
        (project.folder / path).write_text(STUB.get(path, "STUB = True\n"))
    for command in commands(project.params()):
        project.run("python", "-m", *command)
    assert {path: content(project, path) for path in made} == before


@pytest.mark.slow
def test_a_forced_rerun_gives_the_same_bytes_with_any_number_of_workers(project):
    before = project.outputs()
    shutil.rmtree(project.folder / ".state")
    project.dvc("repro", "--force", AFTERPRUNE_WORKERS="1")
    assert project.outputs() == before
