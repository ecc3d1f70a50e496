import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from stages.commands.__main__ import commands, dispatch, main
from stages.pipeline.fault import Fault

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "matplotlib", "pandas", "scipy"}


def test_every_command_is_listed_with_one_line(capsys):
    dispatch([])
    usage, _, *lines, _, hint = capsys.readouterr().out.splitlines()
    assert usage.startswith("Usage: afterprune COMMAND")
    assert [line.split()[0] for line in lines] == list(commands())
    assert {"curves", "export", "keep", "preset", "sizes"} <= set(commands())
    assert all(summary.endswith(".") for summary in commands().values())
    assert "dvc repro" in hint


def test_help_is_the_list(capsys):
    dispatch([])
    listed = capsys.readouterr().out
    dispatch(["--help"])
    assert capsys.readouterr().out == listed


@pytest.mark.parametrize("name", commands())
def test_every_command_has_help_under_its_name(name, capsys):
    with pytest.raises(SystemExit) as done:
        dispatch([name, "--help"])
    assert done.value.code == 0
    assert f"afterprune {name}" in capsys.readouterr().out


def test_a_command_gets_its_own_words(capsys):
    with pytest.raises(SystemExit) as done:
        dispatch(["preset", "digits", "--show"])
    assert done.value.code == 0
    assert capsys.readouterr().out.startswith("# The default study")


def test_an_unknown_command_is_one_line_with_the_nearest_name():
    with pytest.raises(Fault, match=r"^no command 'curve'; did you mean 'curves'\? valid: clean, "):
        dispatch(["curve"])


def test_a_fault_is_one_line_and_exit_code_1(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["afterprune", "preset", "nothing"])
    with pytest.raises(SystemExit) as done:
        main()
    assert str(done.value.code).startswith("no preset 'nothing'; valid: ")
    assert "\n" not in str(done.value.code)


def test_commands_run_from_any_folder(tmp_path):
    code = "from stages.commands.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "curves"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == "params.yaml: no such file; run from the project's folder\n"
    assert done.stdout == ""


@pytest.mark.parametrize("words", [[], ["--help"], ["preset"], ["curves"]])
def test_nothing_heavy_is_imported_before_a_command_that_needs_it(words):
    code = (
        "import sys; from stages.commands.__main__ import dispatch\n"
        f"try: dispatch({words})\n"
        "except SystemExit: pass\n"
        f"sys.exit(str({HEAVY} & set(sys.modules)) if {HEAVY} & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_the_console_script_is_this_function():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"afterprune": "stages.commands.__main__:main"}


def test_windows_is_told_to_use_wsl(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(sys, "argv", ["afterprune"])
    with pytest.raises(SystemExit, match="on Windows, use WSL"):
        main()
