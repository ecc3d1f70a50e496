from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.commands.preset import read_presets, title
from stages.params.load import parse
from stages.params.study import Study, check
from stages.reporting.families import families
from stages.schedules.arm import Arm

ROOT = Path(__file__).parents[2]
PRESETS = read_presets()
TREES = {name: yaml.safe_load(text) for name, text in PRESETS.items()}


@pytest.fixture(autouse=True)
def project(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(name):
    return parse(Study, TREES[name])


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_study_with_a_title(name):
    check(study(name))
    assert PRESETS[name].startswith("# ")
    assert title(PRESETS[name]).endswith(".")
    assert len(title(PRESETS[name])) <= 100


def test_the_committed_settings_are_the_preset_digits():
    assert (ROOT / "params.yaml").read_text() == PRESETS["digits"]


def test_the_ablation_changes_one_option_at_a_time():
    tree = TREES["ablation_onecycle_scaled"]
    entries, path = tree["retrain"]["schedules"], tree["compare"]["path"]
    assert path == list(entries)
    changed = []
    for first, second in pairwise(path):
        before, after = entries[first].items(), entries[second].items()
        changed += [{key for key, _ in set(before) ^ set(after)}]
    assert changed == [{"granularity"}, {"decay"}, {"final_lr"}, {"momentum"}]


@pytest.mark.parametrize("epochs", [7, 20, 72])
def test_the_ablation_walks_from_scaled_to_onecycle(epochs):
    whole = study("ablation_onecycle_scaled")
    dense = whole.train.curve(12)
    ends = {"scaled": {"initial_lr": 0.001}, "onecycle": {}}
    for name, options in ends.items():
        ours = whole.retrain.schedules[name].arm().curves(epochs, 12, dense)
        published = Arm("final", name, options).curves(epochs, 12, dense)
        assert ours.lr.tobytes() == published.lr.tobytes()
        assert ours.momentum.tobytes() == published.momentum.tobytes()
    # `scaled` starts from the dense run's last rate, 0.1 * 0.1**2: 0.001 but for its last bit
    default = Arm("final", "scaled").curves(epochs, 12, dense)
    scaled = whole.retrain.schedules["scaled"].arm().curves(epochs, 12, dense)
    np.testing.assert_allclose(scaled.lr, default.lr, rtol=1e-15)


def test_budgets_are_four_lines_of_four():
    lines = families(TREES["budgets"]["retrain"]["schedules"])
    assert {name: len(names) for name, names in lines.items()} == {
        "finetune": 4,
        "lr_rewind": 4,
        "scaled": 4,
        "onecycle": 4,
    }


def test_the_literature_has_every_published_arm():
    named = study("literature").retrain.schedules
    assert {
        "finetune",
        "weight_rewind",
        "lr_rewind",
        "scaled",
        "scaled_zimmer",
        "onecycle",
        "onecycle_zimmer",
        "linear",
        "adaptive_linear",
        "scratch_e",
        "scratch_b",
    } <= set(named)
    general = {"constant", "step", "cosine", "exponential", "polynomial", "warm_restarts", "rex"}
    assert general <= {schedule.curve for schedule in named.values()}
    assert (named["weight_rewind"].start, named["scratch_e"].start) == ("rewound", "fresh")
    assert (named["scratch_e"].epochs, named["scratch_b"].epochs) == ("dense", "dense_macs")


@pytest.mark.parametrize(
    ("name", "plan"), [("cifar10_resnet56", "ResNet-56-B"), ("cifar10_vgg16", "VGG-16-A")]
)
def test_cifar_presets_are_the_published_recipe(name, plan):
    whole = study(name)
    recipe = whole.train.recipe
    assert (whole.seeds, whole.data.validation, whole.train.epochs) == (3, 0, 160)
    assert (recipe.batch_size, recipe.weight_decay, recipe.nesterov) == (64, 1e-4, False)
    assert (recipe.momentum, recipe.augment.pad, recipe.augment.flip) == (0.9, 4, True)
    lr = whole.train.curve(1).lr
    assert lr == pytest.approx(np.repeat([0.1, 0.01, 0.001], [80, 40, 40]))
    plans = [method.method().allocation.options["name"] for method in whole.prune.methods.values()]
    assert plans == [plan, plan]
    assert [method.criterion for method in whole.prune.methods.values()] == ["l1", "random"]
