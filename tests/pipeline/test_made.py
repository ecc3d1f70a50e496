"""The note of what made an output, against dvc.lock."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
import yaml

from stages.pipeline.fault import Fault
from stages.pipeline.made import check_made, note
from tests.pipeline.project import ran

COMMANDS = (sys.executable, "-m", "stages.commands")
NOTE = "build/made/train.json"


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Return a function that notes the settings that made an output, and records others."""
    monkeypatch.chdir(tmp_path)

    def record(made, lock, files=None, deps=()):
        note = Path(NOTE)
        note.parent.mkdir(parents=True)
        note.write_text(json.dumps({"params": made, "files": files or {}}))
        md5 = hashlib.md5(note.read_bytes()).hexdigest()
        train = {"params": {"params.yaml": lock}, "outs": [{"path": NOTE, "md5": md5}]}
        train["deps"] = [{"path": path, "md5": md5} for path, md5 in deps]
        stages = {"code": {"cmd": "x"}, "train": train}
        Path("dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))

    return record


@pytest.mark.parametrize(
    "settings",
    [{"seed": 1}, {"train.lr": 1e-5}, {"a": {"b": [1, 2.5, None, True]}}, {"name": "010"}],
)
def test_what_was_recorded_as_it_was_made_is_accepted(recorded, settings):
    recorded(settings, settings)
    check_made()


def test_what_was_recorded_otherwise_is_told_with_the_command_that_mends_it(recorded):
    recorded({"seed": 1, "train.lr": 0.1}, {"seed": 1, "train.lr": 0.2})
    with pytest.raises(Fault) as fault:
        check_made()
    assert str(fault.value) == (
        "dvc.lock: it records outputs that others made, as `dvc commit -f` does: "
        "train by another train.lr; run `dvc repro -f -s train`, then `dvc repro`"
    )


def test_a_file_that_was_another_is_told(recorded):
    recorded({}, {}, {"net.py": "1", "a": "2"}, [("net.py", "9"), ("a", "2"), ("data", "7.dir")])
    with pytest.raises(Fault, match=r"train by another net\.py; run `dvc repro -f -s train`"):
        check_made()


def test_a_note_has_the_files_and_no_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("x")
    Path("data").mkdir()
    files = {"net.py": hashlib.md5(b"x").hexdigest()}
    assert note({"seed": 1}, ["net.py", "data"]) == {"params": {"seed": 1}, "files": files}


def test_a_lock_of_no_stages_says_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.lock").write_text("schema: '2.0'\n")
    check_made()


def test_a_note_that_is_not_the_recorded_one_says_nothing(recorded):
    """The stage has run again, and its entry is not written yet; or nothing is pulled."""
    recorded({"seed": 1}, {"seed": 2})
    Path(NOTE).write_text(json.dumps({"params": {"seed": 3}}))
    check_made()
    Path(NOTE).unlink()
    check_made()
    Path("dvc.lock").unlink()
    check_made()


@pytest.mark.slow
@pytest.mark.parametrize("key", ["train.lr", "compute.evaluation_batch_size"])
def test_settings_that_dvc_commit_recorded_are_refused_until_they_have_run(project, key):
    project.set(key, {"train.lr": 0.05, "compute.evaluation_batch_size": 64}[key])
    project.dvc("commit", "--force", "--quiet")
    said = project.run(*COMMANDS, "run", code=1)
    assert said.count("\n") == 1
    assert "as `dvc commit -f` does: " in said
    stages = said.partition("dvc repro -f -s ")[2].partition("`")[0].split()
    assert f"{stages[0]} by another {key.partition('.')[0]}" in said
    assert "records outputs that others made" in project.run(*COMMANDS, "explain")
    project.set("compare.confidence", 0.9)  # which gives `dvc repro` the report to do
    assert "records outputs that others made" in project.dvc("repro", code=255)
    assert ran(project.dvc("repro", "-f", "-s", *stages)) == set(stages)
    assert "headline" in project.run(*COMMANDS, "run")
    assert project.dvc("status") == "Data and pipelines are up to date.\n"


@pytest.mark.slow
def test_code_that_dvc_commit_recorded_runs_after_all(project):
    project.append("stages/schedules/decays.py", "EDITED = True\n")
    project.dvc("commit", "--force", "--quiet")
    said = project.run(*COMMANDS, "run")
    assert "run       dense_curve" in said
    assert project.dvc("status") == "Data and pipelines are up to date.\n"
