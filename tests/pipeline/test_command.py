import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
APP = """
import sys
import typer
from stages.pipeline.command import run
from stages.pipeline.fault import Fault

app = typer.Typer(add_completion=False)

@app.command()
def main(number: int = 0) -> None:
    '''Do it.'''
    if number:
        raise Fault(f"params.yaml: seeds is {number}; it should be 0")
    print("done")

run(app, name='do')
"""
STAGE = APP.replace("import run", "import command_line").replace(
    "run(app, name='do')",
    "with command_line(app, name='do'):\n    app(prog_name='do', standalone_mode=False)",
)


@pytest.fixture(params=[APP, STAGE], ids=["run", "command_line"])
def call(request):
    """Return a function that runs the command line in a process and returns (code, out, err)."""

    def run(*words, edit=lambda app: app):
        app = edit(request.param)
        done = subprocess.run(
            [sys.executable, "-c", app, *words], cwd=ROOT, capture_output=True, text=True
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
    assert err.startswith("do --number many: ")
    assert err.endswith("; see do --help\n")
    assert err.count("\n") == 1


def test_an_error_that_is_no_fault_keeps_its_traceback(call):
    code, out, err = call("--number", "3", edit=lambda app: app.replace("Fault(f", "ValueError(f"))
    assert (code, out) == (1, "")
    assert "ValueError" in err
    assert "Traceback" in err


def test_on_windows_one_line_names_wsl_and_nothing_runs(call):
    line = "afterprune runs on Linux and macOS; on Windows, use WSL\n"
    done = call(edit=lambda app: app.replace("app = ", "sys.platform = 'win32'\napp = "))
    assert done == (1, "", line)
