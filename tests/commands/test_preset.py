import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stages.commands.preset import app
from stages.pipeline.fault import Fault
from stages.presets.preset import params_text, preset_files

ROOT = Path(__file__).parents[2]
PRESETS = {name: params_text(path) for name, path in preset_files().items()}


@pytest.fixture
def call(tmp_path, monkeypatch):
    """Return a function that runs the command in a repository with a committed params.yaml."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text("seeds: 3\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "one"]):
        subprocess.run([*git, *words], check=True)

    def run(*words):
        result = CliRunner().invoke(app, words)
        if result.exception:
            raise result.exception
        return result.stdout

    return run


def test_presets_are_listed_with_what_they_are(call):
    lines = call().splitlines()
    assert [line.split()[0] for line in lines[::2]] == sorted(PRESETS)
    at = next(i for i, line in enumerate(lines) if line.startswith("budgets  "))
    assert "four budgets" in lines[at]
    assert lines[at + 1].strip() == "Does it pay to retrain longer, and under which schedule?"


def test_a_preset_becomes_the_params_of_the_project(call):
    assert "Next: dvc repro" in call("budgets")
    assert Path("params.yaml").read_text() == PRESETS["budgets"]


def test_changes_that_exist_nowhere_else_are_not_lost(call):
    Path("params.yaml").write_text("seeds: 4\n")
    with pytest.raises(Fault, match=r"params.yaml has changes that are not committed"):
        call("budgets")
    assert Path("params.yaml").read_text() == "seeds: 4\n"
    call("budgets", "--force")
    assert Path("params.yaml").read_text() == PRESETS["budgets"]


def test_without_git_changes_are_taken_for_uncommitted_ones(call, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Fault, match=r"that are not committed; commit them or add --force$"):
        call("budgets")


def test_from_preset_to_preset_nothing_is_lost(call):
    call("budgets")
    call("literature")
    assert Path("params.yaml").read_text() == PRESETS["literature"]


def test_showing_and_comparing_change_nothing(call):
    assert call("budgets", "--show") == PRESETS["budgets"]
    head, *lines = call("budgets", "--diff").splitlines()
    assert re.split("  +", head) == ["key", "params.yaml", "preset budgets"]
    rows = [re.split("  +", line) for line in lines]
    assert rows[0] == ["seed", "–", "0"]
    assert rows[1] == ["seeds", "3", "8"]
    assert Path("params.yaml").read_text() == "seeds: 3\n"


def test_a_preset_does_not_differ_from_itself(call):
    call("digits")
    assert call("digits", "--diff") == "no difference\n"


def test_applying_a_preset_again_gives_the_same_bytes(call):
    call("criteria")
    first = Path("params.yaml").read_bytes()
    call("criteria")
    assert Path("params.yaml").read_bytes() == first


def test_the_default_is_restored_whatever_became_of_it(call):
    Path("params.yaml").write_text("not even: [YAML\n")
    call("digits", "--force")
    assert Path("params.yaml").read_text() == (ROOT / "stages/presets/default.yaml").read_text()


def test_an_unknown_preset_is_told_with_the_nearest(call):
    with pytest.raises(Fault, match="no preset 'budget'; did you mean 'budgets'"):
        call("budget")
