"""`afterprune run --until-decided`: which looks it takes, when it ends, what it says."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.commands import growth
from stages.pipeline.fault import Fault
from stages.pipeline.params import read_yaml
from stages.reporting.pairs import Asked
from tests.reporting.helpers import change
from tests.results.study import write_study

ROOT = Path(__file__).parents[2]
NOISE = [1, -1, 0.4, -0.4, 1, -1, -1, -0.5, 0.5]
METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Three replicates, looks at 4, 6 and 9, and no DVC."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(growth, "replicate_seconds", lambda: 60.0)
    done = subprocess.CompletedProcess([], returncode=0)
    monkeypatch.setattr("stages.commands.finished.subprocess.run", lambda *_, **__: done)
    write_params(seeds=3, looks=[4, 6, 9])


def write_params(seeds, looks):
    tree = read_yaml(ROOT / "stages/presets/default.yaml")
    schedules = {name: tree["retrain"]["schedules"][name] for name in SCHEDULES}
    tree["retrain"]["schedules"], tree["seeds"] = schedules, seeds
    tree["compare"]["looks"] = looks
    Path("params.yaml").write_text("# mine\n" + yaml.safe_dump(tree, sort_keys=False))


class Runs:
    """Writes the results of `seeds` replicates: onecycle minus finetune is gain ± spread."""

    def __init__(self, gain, spread, code=0):
        self.gain, self.spread, self.code, self.seeds = gain, spread, code, []

    def __call__(self):
        seeds = read_yaml()["seeds"]
        self.seeds.append(seeds)
        write_study(Path("reports"), METHODS, SCHEDULES, seeds=seeds)
        noise = self.spread * np.array(NOISE[:seeds])
        for method in METHODS:
            change(Path("reports"), method, "finetune", [0.9] * seeds, [0.9] * seeds)
            best = (0.9 + (self.gain + noise) / 100).tolist()
            change(Path("reports"), method, "onecycle", best, [0.95] * seeds)
        return self.code


def test_a_clear_study_ends_at_its_first_look(project, capsys):
    runs = Runs(gain=5, spread=0.4)
    assert growth.grow(runs, Asked.headline) == 0
    assert runs.seeds == [4]
    said = capsys.readouterr().out
    assert "params.yaml: seeds is now 4, was 3" in said
    assert "l1-onecycle - l1-finetune" in said
    assert "random-onecycle - l1-finetune" in said
    assert said.endswith("decided with 4 replicates; reports/README.md has the rest\n")
    assert Path("params.yaml").read_text().startswith("# mine\n")


def test_a_close_study_grows_to_its_last_look_and_says_what_it_takes(project, capsys):
    runs = Runs(gain=0.9, spread=1.6)
    assert growth.grow(runs, Asked.headline) == 0
    assert runs.seeds == [4, 6, 9]
    said = capsys.readouterr().out
    assert "2 pairs are open: on to 6 replicates, about 2 min more" in said
    assert "2 pairs are open; the last look, at 9 replicates, is done" in said
    assert "  l1-onecycle - l1-finetune: about " in said


def test_a_hopeless_study_ends_early(project, capsys):
    runs = Runs(gain=0.0, spread=4)
    assert growth.grow(runs, Asked.headline) == 0
    assert runs.seeds == [4]
    said = capsys.readouterr().out
    assert "2 pairs are open; none has a chance of 20 % to be decided by 9 replicates" in said
    assert "  l1-onecycle - l1-finetune: more than 48 replicates, with sd" in said


def test_a_failed_run_ends_it_and_the_next_goes_on_from_there(project):
    failing = Runs(gain=0.9, spread=1.6, code=130)
    assert growth.grow(failing, Asked.headline) == 130
    assert failing.seeds == [4]
    runs = Runs(gain=0.9, spread=1.6)
    growth.grow(runs, Asked.headline)
    assert runs.seeds == [4, 6, 9]


def test_what_is_between_two_looks_goes_on_to_the_next(project):
    write_params(seeds=5, looks=[4, 6, 9])
    runs = Runs(gain=5, spread=0.4)
    growth.grow(runs, Asked.headline)
    assert runs.seeds == [6]


@pytest.mark.parametrize(
    ("seeds", "looks", "told"),
    [
        (3, [], "params.yaml: compare.looks is empty; --until-decided needs"),
        (12, [4, 6, 9], "params.yaml: seeds is 12; it should be at most 9, the last of"),
    ],
)
def test_looks_are_planned_first(project, seeds, looks, told):
    write_params(seeds, looks)
    runs = Runs(gain=5, spread=0.4)
    with pytest.raises(Fault, match=told):
        growth.grow(runs, Asked.headline)
    assert runs.seeds == []


def test_nothing_to_compare_is_said(project):
    def run():
        Runs(gain=5, spread=0.4)()
        tree = read_yaml()
        tree["compare"]["random"] = "l1"
        tree["retrain"]["schedules"].pop("onecycle")
        Path("params.yaml").write_text(yaml.safe_dump(tree))
        return 0

    with pytest.raises(Fault, match="--pairs headline: no two arms to compare finished"):
        growth.grow(run, Asked.headline)
