"""The case `study`: the study of params.yaml from nothing, and where its time goes."""

import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.ratios import Pair, Row, compare
from tests.pipeline.project import Project, copy_tree, environment

WALL, DVC = "wall", "dvc itself"
SHELL = """#!/bin/sh
start=$(date +%s.%N)
/bin/sh "$@"
code=$?
echo "$DVC_STAGE $start $(date +%s.%N)" >> {log}
exit $code
"""


def study(rounds: int) -> list[Row]:
    """Run `dvc repro` in a fresh copy; return the share of each kind of stage and of DVC itself.

    A stage's time is that of its command, from the start of its shell to its end.
    """
    runs = [_run() for _ in range(rounds)]
    kinds = [kind for kind in runs[0] if kind != WALL]
    values = {kind: [run[kind] for run in runs] for kind in [*kinds, WALL]}
    return compare("study", "", "s", values, [Pair(kind, WALL) for kind in kinds])


def seconds_by_kind(log: Iterable[str]) -> dict[str, float]:
    """Sum the lines "stage start end", in seconds, by kind of stage, in the order they ran."""
    kinds: dict[str, float] = {}
    for line in log:
        name, start, end = line.split()
        kind = name.rpartition(":")[2].partition("@")[0]
        kinds[kind] = kinds.get(kind, 0.0) + float(end) - float(start)
    return kinds


def fresh_study(folder: Path) -> Project:
    """Return a new copy of the study in `folder`, nothing of it run."""
    project = Project(folder / "study", environment(folder))
    copy_tree(project.folder)
    project.run("git", "init", "--quiet")
    project.commit("code")
    return project


def _run() -> dict[str, float]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        project = fresh_study(folder)
        shell, log = folder / "shell", folder / "log"
        shell.write_text(SHELL.format(log=log))
        shell.chmod(0o755)
        start = time.monotonic()
        project.dvc("repro", SHELL=str(shell))
        wall = time.monotonic() - start
        kinds = seconds_by_kind(log.read_text().splitlines())
    return {**kinds, DVC: wall - sum(kinds.values()), WALL: wall}
