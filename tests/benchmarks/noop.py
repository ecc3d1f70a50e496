"""The case `noop`: `dvc repro` with nothing to do, against a DAG of the same shape that is bare."""

import re
import shutil
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from stages.pipeline.params import read_yaml
from tests.benchmarks.ratios import Pair, Row, alternate, compare
from tests.pipeline.project import ROOT, Project, copy_tree, environment, shrink

STUDY, BARE = "nothing to do", "same DAG of tiny files"
REPRO = ("dvc", "repro")
UP_TO_DATE = "Data and pipelines are up to date"


def noop(rounds: int) -> list[Row]:
    """Compare a finished tiny study with stages that write one line each."""
    with TemporaryDirectory() as folder:
        study = tiny_study(Path(folder) / "study")
        bare = _bare(Path(folder) / "bare", read_yaml(study.folder / "dvc.lock")["stages"])
        turns = {STUDY: partial(idle_seconds, study), BARE: partial(idle_seconds, bare)}
        values = alternate(turns, rounds, "noop")
    return compare("noop", "", "s", values, [Pair(STUDY, BARE)])


def producers(lock: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the stages whose outputs each stage of a dvc.lock depends on."""
    outs = {name: [PurePosixPath(out["path"]) for out in s["outs"]] for name, s in lock.items()}
    deps = {name: [PurePosixPath(path) for path in _read(entry)] for name, entry in lock.items()}

    def feeds(other: str, name: str) -> bool:
        return any(_overlap(dep, out) for dep in deps[name] for out in outs[other])

    return {name: [other for other in lock if feeds(other, name)] for name in lock}


def _read(entry: Mapping[str, Any]) -> list[str]:
    """Return the files that an entry of a dvc.lock depends on, files of parameters among them."""
    return [*(dep["path"] for dep in entry.get("deps", ())), *entry.get("params", ())]


def bare_stages(lock: Mapping[str, Any]) -> dict[str, Any]:
    """Return stages with the same edges; each depends on one tiny file more and writes another."""
    edges = {_plain(name): map(_plain, before) for name, before in producers(lock).items()}
    return {
        name: {
            "cmd": f"echo {name} > outs/{name}",
            "deps": [f"deps/{name}", *(f"outs/{other}" for other in before)],
            "outs": [f"outs/{name}"],
        }
        for name, before in edges.items()
    }


def _plain(name: str) -> str:
    """Return a name that a stage outside a matrix may have."""
    return name.replace("@", "-")


def _overlap(one: PurePosixPath, other: PurePosixPath) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def tiny_study(folder: Path) -> Project:
    """Return a finished study of a few seconds."""
    project = Project(folder, environment(folder.parent))
    copy_tree(folder)
    params = yaml.safe_dump(shrink(project.params()), sort_keys=False)
    (folder / "params.yaml").write_text(params)
    return _finished(project)


def _bare(folder: Path, lock: Mapping[str, Any]) -> Project:
    stages = bare_stages(lock)
    for part in ("deps", "outs", ".dvc"):
        (folder / part).mkdir(parents=True)
    for name in stages:
        (folder / "deps" / name).write_text(name)
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    shutil.copy(ROOT / ".dvc" / "config", folder / ".dvc")
    return _finished(Project(folder, environment(folder.parent)))


def _finished(project: Project) -> Project:
    project.run("git", "init", "--quiet")
    project.commit("code")
    project.dvc("repro")
    project.commit("study")
    return project


def idle_seconds(project: Project, command: Sequence[str] = REPRO, says: str = UP_TO_DATE) -> float:
    """Return what a command takes to say, by this pattern, that there is nothing to do."""
    seconds, said = timed(project, command)
    assert re.search(says, said), said
    return seconds


def timed(project: Project, command: Sequence[str]) -> tuple[float, str]:
    """Run a command; return its seconds and what it says."""
    start = time.monotonic()
    said = project.run(*command)
    return time.monotonic() - start, said
