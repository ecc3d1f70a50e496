from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from stages.commands.sizes import app

ROOT = Path(__file__).parents[2]


def run(tmp_path, monkeypatch, methods, *options, **model):
    monkeypatch.chdir(ROOT)
    tree = yaml.safe_load((ROOT / "params.yaml").read_text())
    tree["data"]["source"] = "cifar10"
    tree["model"] |= {"options": {}, **model}
    tree["prune"] |= {"methods": methods, "method": next(iter(methods))}
    tree["compare"] |= {"informed": next(iter(methods)), "random": next(iter(methods))}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    done = CliRunner().invoke(app, ["--params", str(tmp_path / "params.yaml"), *options])
    assert done.exit_code == 0, done.output
    return done


def plan(name):
    allocation = {"kind": "plan", "name": name}
    return {"granularity": "filter", "criterion": "l1", "allocation": allocation}


def test_a_plan_gives_the_counts_of_its_paper(tmp_path, monkeypatch):
    methods = {"b": plan("ResNet-56-B"), "c": plan("ResNet-56-C")}
    done = run(tmp_path, monkeypatch, methods, "--csv", factory="resnet56")
    (tmp_path / "sizes.csv").write_text(done.stdout)
    table = pd.read_csv(tmp_path / "sizes.csv")
    total = table.groupby("method").parameters.sum()
    assert total.to_dict() == {"dense": 853_018, "b": 735_712, "c": 557_954}
    macs = table.groupby("method").macs.sum()
    assert macs["b"] / macs["dense"] == pytest.approx(1 - 0.276, abs=5e-4)


def test_a_method_that_needs_training_says_so(tmp_path, monkeypatch):
    methods = {
        "one": {
            "granularity": "filter",
            "criterion": "l1",
            "allocation": {"kind": "global", "ratio": 0.5},
        },
        "two": {
            "granularity": "weight",
            "criterion": "magnitude",
            "allocation": {"kind": "global", "sparsity": 0.9},
        },
    }
    done = run(tmp_path, monkeypatch, methods, factory="resnet8")
    assert not any(line.startswith("one ") for line in done.stdout.splitlines())
    assert "one: not known before training" in done.stderr
    assert "two: not known before training (90.00%" in done.stderr


def test_weights_that_are_kept_per_layer_are_counted(tmp_path, monkeypatch):
    half = {"kind": "n_m", "n": 2, "m": 4}
    methods = {"half": {"granularity": "weight", "criterion": "magnitude", "allocation": half}}
    done = run(tmp_path, monkeypatch, methods, "--csv", factory="resnet8")
    (tmp_path / "sizes.csv").write_text(done.stdout)
    table = pd.read_csv(tmp_path / "sizes.csv").set_index("method")
    layer = table[table.name == "layer2.0.conv2"]
    assert layer.nonzero["half"] * 2 == layer.nonzero["dense"] == 32 * 32 * 9
    assert layer.macs["half"] == layer.macs["dense"]
