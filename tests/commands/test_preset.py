import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stages.commands.preset import app, read_presets
from stages.fault import Fault

PRESETS = read_presets()


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
    assert [line.split()[0] for line in lines] == sorted(PRESETS)
    assert any(line.startswith("budgets  ") and "four budgets" in line for line in lines)


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


def test_from_preset_to_preset_nothing_is_lost(call):
    call("budgets")
    call("literature")
    assert Path("params.yaml").read_text() == PRESETS["literature"]


def test_showing_and_comparing_change_nothing(call):
    assert call("budgets", "--show") == PRESETS["budgets"]
    text = call("budgets", "--diff")
    assert text.startswith("--- params.yaml\n+++ preset budgets\n")
    assert "-seeds: 3\n" in text
    assert "+seeds: 8\n" in text
    assert Path("params.yaml").read_text() == "seeds: 3\n"


def test_an_unknown_preset_is_told_with_the_nearest(call):
    with pytest.raises(Fault, match="no preset 'budget'; did you mean 'budgets'"):
        call("budget")
