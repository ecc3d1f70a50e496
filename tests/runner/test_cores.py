"""Stages and their replicates share the cores of a run."""

from itertools import accumulate

import pytest

SCRIPT = """
import os, sys, time
from pathlib import Path
from stages.replicates.processes import run_replicates

def note(what):
    with open(os.environ["SPANS"], "a") as file:
        file.write(f"{time.monotonic()} {what}\\n")

def task(number):
    note("+")
    time.sleep(0.2)
    note("-")

run_replicates(task, int(sys.argv[2]), 1)
Path(sys.argv[1]).write_text("done")
"""
PIPELINE = {
    "work.py": SCRIPT,
    "params.yaml": "names: {a: 0, b: 0, c: 0}\n",
    "dvc.yaml": """
stages:
  work:
    matrix: {name: '${names}'}
    cmd: python work.py ${item.name}.txt 4
    deps: [work.py]
    outs: ['${item.name}.txt']
""",
}


@pytest.mark.parametrize(("cores", "most"), [(2, 2), pytest.param(4, 4, marks=pytest.mark.slow)])
def test_replicates_take_what_stages_leave_and_never_more(repository, tmp_path, cores, most):
    project = repository(PIPELINE)
    spans = tmp_path / "spans"
    machine = {"SPANS": str(spans), "AFTERPRUNE_WORKERS": "4"}
    project.run("python", "-m", "stages.runner", "--workers", f"{cores}", **machine)
    events = sorted(line.split() for line in spans.read_text().splitlines())
    assert len(events) == 24
    at_once = list(accumulate(1 if what == "+" else -1 for _, what in events))
    assert max(at_once) == most
