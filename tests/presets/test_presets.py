import re
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import get_origin

import numpy as np
import pytest
import yaml
from ruamel.yaml import YAML

from stages.images.augmentations.crop import Crop
from stages.images.augmentations.flip import Flip
from stages.images.settings import Augment
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse, read_yaml
from stages.pipeline.section import Section
from stages.presets.overlay import REPLACED
from stages.presets.preset import DEFAULT, params_text, preset_files, read_params, read_preset
from stages.retraining.technique import Teaching
from stages.schedules.arm import Arm
from stages.study.checks import check
from stages.study.settings import Study

ROOT = Path(__file__).parents[2]
PRESETS = preset_files()
TREES = {name: read_params(path) for name, path in PRESETS.items()}


@pytest.fixture(autouse=True)
def project(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(name):
    return parse(Study, TREES[name])


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_valid_study_with_a_title_and_a_question(name):
    check(study(name))
    preset = read_preset(PRESETS[name])
    assert preset.title.endswith(".")
    assert preset.question.endswith("?")
    assert len(preset.title) <= 98


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_makes_the_default_with_its_settings(name):
    """Groups merge key by key, the named ones are replaced."""
    settings = read_preset(PRESETS[name]).settings
    assert yaml.safe_load(params_text(PRESETS[name])) == merged(read_yaml(DEFAULT), settings)


def merged(base, changes, path=""):
    whole = dict(base)
    for key, value in changes.items():
        group = isinstance(value, dict) and f"{path}{key}" not in REPLACED
        whole[key] = merged(base[key], value, f"{path}{key}.") if group else value
    return whole


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_keeps_every_comment_outside_of_what_it_replaces(name):
    lines = DEFAULT.read_text().splitlines()
    comments = [line for line in lines if line.lstrip().startswith("#")]
    title_and_question = 2
    assert set(comments[title_and_question:]) <= set(params_text(PRESETS[name]).splitlines())


@pytest.mark.parametrize("name", PRESETS)
def test_dvc_reads_what_python_reads(name):
    """DVC reads YAML 1.2, PyYAML 1.1."""
    text = params_text(PRESETS[name])
    assert YAML(typ="safe").load(text) == yaml.safe_load(text)


@pytest.mark.parametrize("name", PRESETS)
def test_floats_are_floats_for_dvc_and_python(name):
    for value in leaves(TREES[name]):
        assert not (isinstance(value, str) and re.fullmatch(r"[-+.\de]*\d[-+.\de]*", value))


def leaves(value):
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def test_the_committed_settings_are_the_default_and_the_preset_digits():
    text = (ROOT / "params.yaml").read_text()
    assert DEFAULT.read_text() == text
    assert params_text(PRESETS["digits"]) == text


def test_groups_that_are_merged_are_written_as_blocks():
    assert list(braces(yaml.compose(DEFAULT.read_text()))) == []


def braces(group, path=""):
    for key, value in group.value:
        where = f"{path}{key.value}"
        if isinstance(value, yaml.MappingNode) and where not in REPLACED:
            if value.flow_style:
                yield where
            yield from braces(value, f"{where}.")


def test_groups_without_fixed_keys_are_replaced():
    """All but `data`: its sources' own options stand beside the keys that all sources have."""
    assert set(open_groups(Study)) - {"data"} == REPLACED


def open_groups(section, path=""):
    for name, field in section.model_fields.items():
        kind, where = field.annotation, f"{path}{name}"
        group = isinstance(kind, type) and issubclass(kind, Section)
        if get_origin(kind) is dict or field.discriminator or (group and issubclass(kind, Augment)):
            yield where
        elif group:
            yield from open_groups(kind, f"{where}.")


def test_a_params_file_is_read_as_it_is():
    assert read_params(ROOT / "params.yaml") == read_yaml(ROOT / "params.yaml")


def test_a_faulty_preset_is_one_line(tmp_path):
    (tmp_path / "mine.yaml").write_text("titel: x\nquestion: y\nsettings: {}\n")
    with pytest.raises(Fault, match=r"mine\.yaml: titel is no known key; did you mean 'title'"):
        read_params(tmp_path / "mine.yaml")


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
    dense = whole.train.rates(12)
    ends = {"scaled": {"initial_lr": 0.001}, "onecycle": {}}
    for name, options in ends.items():
        ours = whole.retrain.schedules[name].arm().rates(epochs, 12, dense)
        published = Arm("final", name, options).rates(epochs, 12, dense)
        assert ours.lr.tobytes() == published.lr.tobytes()
        assert ours.momentum.tobytes() == published.momentum.tobytes()
    # `scaled` starts from the dense run's last rate, 0.1 * 0.1**2: 0.001 but for its last bit
    default = Arm("final", "scaled").rates(epochs, 12, dense)
    scaled = whole.retrain.schedules["scaled"].arm().rates(epochs, 12, dense)
    np.testing.assert_allclose(scaled.lr, default.lr, rtol=1e-15)


def test_budgets_are_four_schedules_at_four_budgets():
    entries = TREES["budgets"]["retrain"]["schedules"].values()
    budgets = defaultdict(set)
    for entry in entries:
        budgets[entry["curve"]].add(entry["epochs"])
    # 40, 72, 104 and 136 of 160 epochs, of 20
    expected = {round(20 * epochs / 160) for epochs in (40, 72, 104, 136)}
    assert budgets == dict.fromkeys(("constant", "replay", "scaled", "onecycle"), expected)
    assert len(entries) == 16


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
    ("name", "plan"),
    [
        ("cifar10_resnet56", "ResNet-56-B"),
        ("cifar10_resnet110", "ResNet-110-B"),
        ("cifar10_vgg16", "VGG-16-A"),
    ],
)
def test_cifar_presets_are_the_published_recipe(name, plan):
    whole = study(name)
    recipe = whole.train.recipe
    assert (whole.seeds, whole.data.validation, whole.train.epochs) == (3, 0, 160)
    optimizer = {"kind": "sgd", "momentum": 0.9, "nesterov": False, "weight_decay": 1e-4}
    assert (recipe.batch_size, recipe.optimizer.model_dump()) == (64, optimizer)
    assert recipe.loss.kind == "cross_entropy"
    assert recipe.augment.used() == [Crop(pad=4), Flip()]
    lr = whole.train.rates(1).lr
    assert lr == pytest.approx(np.repeat([0.1, 0.01, 0.001], [80, 40, 40]))
    plans = [method.method().allocation.options["name"] for method in whole.prune.methods.values()]
    assert plans == [plan, plan]
    assert [method.criterion for method in whole.prune.methods.values()] == ["l1", "random"]


@pytest.mark.parametrize("name", ["ice", "ice_1"])
def test_ice_adds_its_divergence_to_the_whole_loss(name):
    """Half the sum at twice the rate has its gradient, but twice its weight decay."""
    schedule = study("prescriptions").retrain.schedules[name]
    reading = Teaching(weight=1, task=1, temperature=2, scale="none")
    assert (schedule.share, schedule.teacher) == (0.625, reading)
