"""`afterprune recommend --search`, with an oracle in the place of training."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import yaml

from stages.commands import search
from stages.commands.probes import Probe
from stages.pipeline.fault import Fault
from stages.pipeline.params import read_yaml
from stages.statistics.estimates import estimate

ROOT = Path(__file__).parents[2]
SEEDS = 3


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The default settings with three replicates; nothing runs in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stages").symlink_to(ROOT / "stages")
    (tmp_path / "data/weights").mkdir(parents=True)
    (tmp_path / "data/weights/none").touch()
    settings(lambda tree: None)
    monkeypatch.setattr(search, "replicate_seconds", lambda study: 2.0)
    monkeypatch.setattr(search, "project_aside", nullcontext)


def settings(change):
    tree = read_yaml(ROOT / "stages/presets/default.yaml")
    tree["seeds"] = SEEDS
    change(tree)
    Path("params.yaml").write_text(yaml.safe_dump(tree, sort_keys=False))


class Oracle:
    """A network loses `drop(ratio)` points, and on fresh seeds `more` than that."""

    def __init__(self, drop, more=0.0):
        self.drop, self.more, self.asked = drop, more, []

    def __call__(self, asked, value, seed):
        self.asked.append((value, seed))
        loss = self.drop(value) + (self.more if seed else 0)
        values = [loss - 0.01, loss, loss + 0.01]
        left = 1 - value
        return Probe(value, seed, 1000, 100 * left, 5000, 90 * left, estimate(values, 0.9), 0)


def run(monkeypatch, capsys, oracle, max_drop=1.0, step=0.1):
    monkeypatch.setattr(search, "_probe", oracle)
    search.search(search.family("l1", "onecycle", max_drop, step))
    return capsys.readouterr().out


def test_the_smallest_network_is_found_confirmed_and_named(project, monkeypatch, capsys):
    """It loses 3 times the square of the ratio: 0.75 at 0.5, 1.08 at 0.6."""
    oracle = Oracle(lambda ratio: 3 * ratio**2)
    said = run(monkeypatch, capsys, oracle)
    ratios = [value for value, seed in oracle.asked if seed == 0]
    assert {0.5, 0.6} <= {*ratios}
    assert len(ratios) == len({*ratios}) <= 4
    assert oracle.asked[-1] == (0.5, SEEDS)  # replicates 3 to 5
    first, *_ = said.splitlines()
    assert "9 networks, ratio 0.1 to 0.9; at most 4 probes and a confirmation" in first
    assert "of 3 replicates each; about 30 s of computing" in first
    assert "ratio 0.5 is the smallest network found that keeps the accuracy" in said
    assert "Confirmed on fresh seeds (3 to 5): it loses 0.75 points, at most 0.77 (95 %)" in said
    assert "set prune.methods.l1.allocation.ratio to 0.5 in params.yaml" in said
    assert "afterprune export --method l1 --schedule onecycle" in said


def test_the_bound_is_one_sided_and_decides(project, monkeypatch, capsys):
    """0.75 with sd 0.01 and n = 3: t(2, .95) = 2.92, so at most 0.767, above 0.76."""
    said = run(monkeypatch, capsys, Oracle(lambda ratio: 3 * ratio**2), max_drop=0.76)
    assert "ratio 0.4 is the smallest" in said


def test_what_fresh_seeds_do_not_confirm_is_not_recommended(project, monkeypatch, capsys):
    said = run(monkeypatch, capsys, Oracle(lambda ratio: 3 * ratio**2, more=0.5))
    assert "NOT confirmed on fresh seeds (3 to 5): it loses 1.25 points" in said
    assert "The next larger network is ratio 0.4" in said
    assert "afterprune export" not in said


@pytest.mark.parametrize(("more", "word"), [(0.0, "Confirmed"), (0.5, "NOT confirmed")])
def test_a_given_dense_network_has_no_fresh_seeds(project, monkeypatch, capsys, more, word):
    Path("net.pt").touch()
    settings(lambda tree: tree["train"].update(weights="net.pt"))
    said = run(monkeypatch, capsys, Oracle(lambda ratio: 3 * ratio**2, more))
    told = "on fresh seeds (3 to 5) of all but the dense network, which is the same (net.pt): it"
    assert f"{word} {told}" in said


def test_where_even_the_largest_fails_that_is_said(project, monkeypatch, capsys):
    oracle = Oracle(lambda ratio: 5.0)
    said = run(monkeypatch, capsys, oracle)
    assert "Even the largest network, ratio 0.1, is not shown to keep the accuracy" in said
    assert all(seed == 0 for _, seed in oracle.asked)


def test_where_even_the_smallest_passes_that_is_said(project, monkeypatch, capsys):
    said = run(monkeypatch, capsys, Oracle(lambda ratio: 0.0))
    assert "ratio 0.9 is the smallest network found" in said
    assert "It is the smallest of all that could be tried." in said
    assert "Confirmed on fresh seeds" in said


def test_an_arm_that_diverged_does_not_pass(project, monkeypatch, capsys):
    nothing = estimate([float("nan")] * 3, 0.9)

    def diverged(asked, value, seed):
        return Probe(value, seed, 1000, 50.0, 5000, 50.0, nothing, 1)

    said = run(monkeypatch, capsys, diverged)
    assert "ratio 0.5 does not keep the accuracy: 1 replicate diverged" in said


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda t: t.update(seeds=1), "seeds is 1; a bound on the drop takes 2 or more"),
        (
            lambda t: t["prune"]["methods"]["l1"].update(
                allocation={"kind": "target", "macs": 0.5}
            ),
            "prune.methods.l1.allocation has neither ratio nor sparsity",
        ),
        (
            lambda t: t["prune"].update(
                iterative={"l1": {**t["prune"]["methods"].pop("l1"), "rounds": 2}}
            ),
            "--method is 'l1', which prunes in rounds",
        ),
    ],
)
def test_what_cannot_be_searched_is_told(project, change, told):
    settings(change)
    with pytest.raises(Fault, match=told):
        search.family("l1", "onecycle", 1.0, 0.1)
