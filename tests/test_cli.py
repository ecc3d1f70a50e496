import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APP = """
import typer
from stages.cli import run
from stages.fault import Fault

app = typer.Typer(add_completion=False)

@app.command()
def main(number: int = 0) -> None:
    '''Do it.'''
    if number:
        raise Fault(f"params.yaml: seeds is {number}; it should be 0")
    print("done")

run(app)
"""


@pytest.fixture
def call():
    """Return a function that runs the command line in a process and returns (code, out, err)."""

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-c", APP, *words], cwd=ROOT, capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    return run


def test_a_fault_is_one_line_on_stderr_and_exit_code_1(call):
    assert call("--number", "3") == (1, "", "params.yaml: seeds is 3; it should be 0\n")


def test_without_a_fault_the_exit_code_is_0(call):
    assert call() == (0, "done\n", "")


def test_a_bad_option_is_exit_code_2(call):
    code, out, err = call("--number", "many")
    assert (code, out) == (2, "")
    assert "--number" in err
