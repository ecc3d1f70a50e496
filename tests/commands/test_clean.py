import hashlib
import json
import subprocess
import sys

import pytest
import yaml

from stages.commands import clean
from stages.pipeline.command import faults_in_one_line
from stages.pipeline.recovery import locked, recoverable

DVC = """
stages:
  train: {cmd: python -m stages.train}
  retrain:
    matrix: {method: '${prune.methods}', schedule: '${retrain.schedules}'}
    cmd: python -m stages.retrain ${item}
"""
PARAMS = """
seeds: 2
prune: {methods: {l1: {}}}
retrain: {schedules: {onecycle: {}, finetune: {}}}
"""


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AFTERPRUNE_STATE", "state")
    monkeypatch.setattr(clean, "_cache", lambda: tmp_path / "cache")
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "params.yaml").write_text(PARAMS)
    record(tmp_path, {"networks/a": b"recorded"})
    for key, text in {"old": b"old", "now": b"recorded"}.items():
        finish(f"train-0-{key}", text)
    return tmp_path / "state"


def record(folder, files):
    """Have files in an output of dvc.lock and in DVC's cache."""
    entries = [{"md5": store(folder, text), "relpath": name} for name, text in files.items()]
    md5 = store(folder, json.dumps(entries).encode(), ".dir")
    stages = {"train": {"outs": [{"path": "models/dense", "md5": md5}]}}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": stages}))


def store(folder, content, suffix=""):
    md5 = hashlib.md5(content).hexdigest() + suffix
    path = folder / "cache" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


def finish(key, text):
    with recoverable(key, lambda: None) as work:
        (work.folder / "networks").mkdir()
        (work.folder / "networks" / "a").write_bytes(text)


def run(*words):
    with faults_in_one_line():
        clean.app(words, standalone_mode=False)


def left(state):
    return sorted(path.name for path in state.iterdir() if path.is_dir())


def row(said, words):
    (line,) = [line for line in said.splitlines() if line.startswith(words)]
    return line.removeprefix(words).split()


def test_what_other_settings_left_is_freed(state, capsys):
    run()
    said = capsys.readouterr().out
    assert row(said, "finished, and in dvc.lock and the cache") == ["1", "0.0", "0", "0.0"]
    assert row(said, "finished, and not in dvc.lock") == ["1", "0.0", "1", "0.0"]
    assert row(said, "all") == ["2", "0.0", "1", "0.0"]
    assert left(state) == ["train-0-now"]


def test_a_trial_frees_nothing(state, capsys):
    run("--dry")
    assert "would be freed" in capsys.readouterr().out
    assert left(state) == ["train-0-now", "train-0-old"]


def test_what_no_arm_or_seed_has_any_more_is_freed(state):
    for name in ("train-1", "train-2", "retrain-l1-finetune-1", "retrain-l1-gone-0"):
        finish(f"{name}-now", b"new")
    run()
    assert left(state) == ["retrain-l1-finetune-1-now", "train-0-now", "train-1-now"]


@pytest.mark.parametrize("text", ["", "seeds: many", "seeds: 2", "seeds: ["])
def test_nothing_is_freed_under_settings_that_cannot_be_read(state, text):
    (state.parent / "params.yaml").write_text(text)
    with pytest.raises(SystemExit, match=r"^params\.yaml: [^\n]*$"):
        run()
    assert left(state) == ["train-0-now", "train-0-old"]
    run("--all")
    assert left(state) == []


def test_all_is_freed_but_what_a_process_uses(state, capsys):
    with locked(state / "train-0-now", None):
        run("--all")
    assert row(capsys.readouterr().out, "used by a process that runs") == ["1", "0.0", "0", "0.0"]
    assert left(state) == ["train-0-now"]
    run("--all")
    assert list(state.iterdir()) == []


def test_what_the_cache_lost_is_not_recorded(state, capsys):
    for path in (state.parent / "cache").rglob("*"):
        if path.is_file() and path.read_bytes() == b"recorded":
            path.unlink()
    run()
    assert row(capsys.readouterr().out, "finished, and in dvc.lock and the cache")[0] == "0"
    assert left(state) == ["train-0-now"]  # the newest


def test_what_is_linked_elsewhere_is_not_said_to_be_freed(state, capsys):
    for name, text in {"a": b"a" * 2_000_000, "b": b"b" * 3_000_000}.items():
        with recoverable(f"prune-0-{name}", lambda: None) as work:
            (work.folder / "networks").write_bytes(text)
    (state.parent / "output").hardlink_to(state / "prune-0-a" / "networks")
    run("--all")
    said = capsys.readouterr().out
    assert row(said, "all") == ["4", "5.0", "4", "3.0"]
    assert said.endswith(
        "another 2.0 MB stay on the disk: they are linked to the outputs or to DVC's cache\n"
    )
    assert (state.parent / "output").read_bytes() == b"a" * 2_000_000


def test_a_bad_option_is_one_line_of_its_own_process_too():
    asked = [sys.executable, "-m", "stages.commands.clean", "--foo"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("python -m stages.commands.clean --foo: no option --foo; ")
