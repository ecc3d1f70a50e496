"""A tiny study that has run once, and copies of it to run DVC in."""

from dataclasses import dataclass

import pytest
import yaml

from tests.pipeline.project import Project, copy_tree, environment, ran, shrink

REAL_DVC = {"study", "project", "changed", "iterated", "pushed", "clone", "reran"}
CHANGE = ("retrain.schedules.onecycle.max_lr", 0.05)


@dataclass(frozen=True)
class Study:
    """A finished study, the stages that ran for its headline and those that ran after."""

    project: Project
    for_headline: set[str]
    after_headline: set[str]


ROUNDS = {
    "granularity": "filter",
    "criterion": "l1",
    "allocation": {"kind": "uniform", "ratio": 0.3},
    "rounds": 2,
}


@dataclass(frozen=True)
class Changed:
    """A study in which something changed, and the stages that ran then."""

    project: Project
    ran: set[str]


def pytest_itemcollected(item):
    """Mark the tests that run real DVC in a copy of the project."""
    if REAL_DVC & {*getattr(item, "fixturenames", ())}:
        item.add_marker("pipeline")


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Run the tiny study in a fresh repository: first its headline alone, then the rest."""
    folder = tmp_path_factory.mktemp("study")
    project = Project(folder / "project", environment(folder))
    copy_tree(project.folder)
    params = project.folder / "params.yaml"
    params.write_text(yaml.safe_dump(shrink(project.params()), sort_keys=False))
    project.run("git", "init", "--quiet")
    project.commit("code")
    for_headline = ran(project.dvc("repro", "headline"))
    after_headline = ran(project.dvc("repro"))
    project.commit("study")
    return Study(project, for_headline, after_headline)


@pytest.fixture
def project(study, tmp_path):
    """A copy of the finished study."""
    return study.project.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def changed(study, tmp_path_factory):
    """Rerun a copy of the study with one number of one arm changed."""
    return change(study, tmp_path_factory.mktemp("changed"), *CHANGE)


@pytest.fixture(scope="session")
def iterated(study, tmp_path_factory):
    """Rerun a copy of the study with a method that prunes in rounds."""
    return change(study, tmp_path_factory.mktemp("iterated"), "prune.iterative.rounds", ROUNDS)


def change(study, folder, key, value):
    project = study.project.copy(folder / "project")
    project.set(key, value)
    return Changed(project, ran(project.dvc("repro")))


@pytest.fixture(scope="session")
def pushed(study, tmp_path_factory):
    """A copy of the study with a remote that holds all its results."""
    folder = tmp_path_factory.mktemp("pushed")
    project = study.project.copy(folder / "project")
    project.dvc("remote", "add", "--default", "store", str(folder / "store"))
    project.commit("remote")
    project.dvc("push", "--quiet", "--run-cache")
    return project


@pytest.fixture
def clone(pushed, tmp_path):
    """A clean clone of the pushed study."""
    return pushed.clone(tmp_path / "clone")
