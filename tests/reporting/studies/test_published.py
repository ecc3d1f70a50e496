"""Published values, and ours beside them."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from stages.pipeline.params import parse
from stages.presets.preset import preset_files, read_params
from stages.reporting.studies.forms import dense_form, method_form
from stages.reporting.studies.published import cells, published, same_network, same_schedule, text
from stages.study.settings import Study

LE_HUA, FILTERS, WEIGHTS, *REST = published()
WANG, LIU = REST[:3], REST[3:]
B = {
    "granularity": "filter",
    "criterion": "l1",
    "allocation": {"kind": "plan", "name": "ResNet-56-B"},
}
ENTRIES = {
    "tuned": {"curve": "constant", "lr": "last", "epochs": 40},
    "finetune": {"curve": "constant", "lr": "last", "epochs": 72},
    "onecycle": {"curve": "onecycle", "start": "final", "epochs": 72},
    "scaled": {"curve": "scaled", "variant": "zimmer", "epochs": 72},
}
EPOCHS = {"tuned": 40, "finetune": 72, "onecycle": 72, "scaled": 72}
FRESH = {
    "scratch_e": {"start": "fresh", "curve": "stretch", "epochs": "dense"},
    "scratch_b": {"start": "fresh", "curve": "stretch", "epochs": "dense_macs"},
    "tuned": {"start": "fresh", "curve": "stretch", "epochs": 221},
}
RECIPE = {
    "batch_size": 64,
    "optimizer": {"kind": "sgd", "momentum": 0.9, "weight_decay": 1e-4},
    "loss": {"kind": "cross_entropy"},
    "augment": {"crop": {"pad": 4}, "flip": {}},
}
STEP = {"curve": "step", "milestones": [80, 120], "factor": 0.1}
TRAIN = {"epochs": 160, "lr": 0.1, "schedule": STEP, "checkpoint_every": 88, "recipe": RECIPE}
ARMS = {("pfec", name): [0.92, 0.93] for name in ENTRIES}
DATA = {"source": "cifar10", "root": "data/raw", "validation": 0.0}
MODEL = {"code": "stages/models/resnet.py", "factory": "resnet56", "options": {}}


@pytest.fixture
def study(read_study):
    """A study by Le & Hua's settings at two budgets, one arm of which has a key of its own."""
    arms = {("l1", name): values for (_, name), values in ARMS.items()}
    found = read_study("ours", arms, EPOCHS, ENTRIES, data=DATA, model=MODEL, train=TRAIN)
    return replace(found, method_forms={"l1": method_form(B)})


def run(table, *studies):
    return {(c.schedule, c.epochs): c for c in cells(table, studies) if c.study}


def test_the_values_are_those_of_the_papers():
    """As in the text of Le & Hua's figure, in Renda's, Wang's and Liu's results."""
    assert LE_HUA.values["onecycle"][2] == 0.20
    assert (LE_HUA.epochs[0], LE_HUA.epochs[-1]) == (40, 152)
    assert LE_HUA.values["scaled"][-1] == 0.24
    assert [FILTERS.values[n][0] for n in ("finetune", "weight_rewind", "lr_rewind")] == [
        93.19, 93.25, 93.64,
    ]  # fmt: skip
    assert WEIGHTS.values["weight_rewind"] == [90.59, 92.09, 90.41]
    gaps = [round(t.values["rate 0.01"][0] - t.values["rate 0.001"][0], 2) for t in WANG]
    assert gaps == [0.36, 0.49, -0.82]
    plans = [(t.network.factory, t.method["allocation"]["name"][-1]) for t in LIU]
    assert plans == [(n, plan) for n in ("resnet56", "resnet110") for plan in "AB"]
    controls = [(t.values["scratch_e"][0], t.values["scratch_b"][1]) for t in LIU]
    assert controls == [(92.96, 93.09), (92.54, 93.05), (93.25, 93.22), (92.89, 93.60)]
    spreads = [(t.spreads["scratch_e"][0], t.spreads["scratch_b"][1]) for t in LIU]
    assert spreads == [(0.26, 0.14), (0.19, 0.18), (0.29, 0.22), (0.43, 0.25)]


def test_every_table_has_a_source_and_a_value_for_each_of_its_epochs():
    for table in published():
        assert table.source
        listed = [*table.values.values(), *table.spreads.values()]
        assert {len(values) for values in listed} == {len(table.epochs)}
        assert {*table.spreads} <= {*table.values}
        assert {*table.hidden} <= {*table.values}
        assert all({*hidden} <= {*table.epochs} for hidden in table.hidden.values())
        assert {*table.schedules} == {*table.values}


def test_a_value_stands_beside_ours_where_all_settings_agree(study):
    found = run(LE_HUA, study)
    assert {*found} == {("finetune", 40), ("finetune", 72), ("onecycle", 72)}
    cell = found["onecycle", 72]
    arms = study.tables["arms"].set_index("schedule")
    assert cell.ours.mean == pytest.approx(arms.difference_to_dense_points_mean.onecycle, abs=1e-3)
    assert (cell.published, cell.ours.n) == (0.20, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"data": DATA | {"validation": 0.1}},
        {"data": DATA | {"train_limit": 5000}},
        {"data": DATA | {"source": "cifar100"}},
        {"model": MODEL | {"options": {"width": 8}}},
        {"model": MODEL | {"factory": "resnet20"}},
        {"model": MODEL | {"code": "mine/resnet.py"}},
        {"train": TRAIN | {"weights": "data/weights"}},
        {"train": TRAIN | {"epochs": 182}},
        {"train": TRAIN | {"lr": 0.05}},
        {"train": TRAIN | {"schedule": STEP | {"milestones": [91, 136]}}},
        {"train": TRAIN | {"recipe": RECIPE | {"batch_size": 128}}},
        {"train": TRAIN | {"recipe": RECIPE | {"augment": {"crop": {"pad": 4}}}}},
    ],
)
def test_other_data_networks_and_dense_training_are_not_held_against_it(study, change):
    assert run(LE_HUA, study)
    other = dense_form({**study.dense, **change}, Path("params.yaml"))
    assert not run(LE_HUA, replace(study, dense_form=other))


@pytest.mark.parametrize(
    "change",
    [
        {"train": TRAIN | {"checkpoint_every": 160}},
        {"train": TRAIN | {"recipe": RECIPE | {"clip": None}}},
        {"data": DATA | {"root": "elsewhere", "train_limit": None, "seed": 7}},
        {"model": MODEL | {"options": {"width": 16}}},
    ],
)
def test_how_settings_are_written_does_not_matter_nor_what_changes_no_network(study, change):
    form = dense_form({**study.dense, **change}, Path("params.yaml"))
    assert {*run(LE_HUA, replace(study, dense_form=form))} == {*run(LE_HUA, study)} != set()


def test_nor_are_other_methods(study):
    other = B | {"allocation": {"kind": "uniform", "ratio": 0.3}}
    assert not run(LE_HUA, replace(study, method_forms={"l1": method_form(other)}))
    assert not any(run(table, study) for table in (FILTERS, WEIGHTS, *WANG, *LIU))


def test_a_budget_that_depends_on_what_is_left_is_told_by_its_word(read_study):
    arms = {("l1", name): [0.930, 0.932] for name in FRESH}
    budgets = {"scratch_e": 160, "scratch_b": 221, "tuned": 221}
    found = read_study("scratch", arms, budgets, FRESH, data=DATA, model=MODEL, train=TRAIN)
    found = replace(found, method_forms={"l1": method_form(B)})
    cell = run(LIU[1], found)["scratch_b", "dense_macs"]
    assert (cell.published, cell.spread, cell.ours.n) == (93.05, 0.18, 2)
    assert {*run(LIU[1], found)} == {("scratch_e", 160), ("scratch_b", "dense_macs")}
    assert len([c for c in cells(LIU[1], [found]) if c.study]) == 2
    assert "| `scratch_b` | `dense_macs` | 93.05 ± 0.18 | 93.10 | +0.05 [" in text([found])


def test_the_page_says_what_was_not_run_and_by_how_much_ours_differs(study):
    found = text([study])
    assert "difference to the dense network (3 of 32 run)" in found
    assert "| `onecycle` | 88 | +0.17 | not run | – | – | – |" in found
    assert "| `finetune` | 40 | ~−0.52 | " in found
    [row] = [line for line in found.splitlines() if line.startswith("| `onecycle` | 72 |")]
    ours = run(LE_HUA, study)["onecycle", 72].ours
    assert f"| {ours.mean:+.2f} | {ours.mean - 0.20:+.2f} [".replace("-", "−") in row
    assert "[ours](ours/README.md)" in row
    assert text([]).count("(0 of ") == len(published()) == 10
    assert text([]).count("(0 of 2 run)") == len(WANG) + len(LIU)


@cache
def preset(name):
    """A preset's settings, and the budget of each of its arms where pruning halves the cost."""
    tree = read_params(preset_files()[name])
    retrain, epochs = parse(Study, tree).retrain, tree["train"]["epochs"]
    return tree, {
        arm: entry.budget(retrain.epochs, epochs, 2.0) for arm, entry in retrain.schedules.items()
    }


def preset_fills(table, schedule, epochs):
    """Whether an arm of a table's preset is that of a value."""
    tree, budgets = preset(table.preset)
    entries = tree["retrain"]["schedules"].items()
    return (
        same_network(table, dense_form(tree, Path("params.yaml")))
        and table.method in tree["prune"]["methods"].values()
        and any(same_schedule(table, schedule, epochs, e, budgets[arm]) for arm, e in entries)
    )


@pytest.mark.parametrize("table", published(), ids=lambda t: t.what)
def test_a_run_of_its_preset_fills_every_cell_of_a_table(table):
    wanted = [(cell.schedule, cell.epochs) for cell in cells(table, [])]
    assert wanted
    assert [cell for cell in wanted if not preset_fills(table, *cell)] == []


def test_a_preset_that_lacks_an_arm_does_not_fill_its_cell():
    assert preset_fills(LE_HUA, "onecycle", 152)
    assert not preset_fills(LE_HUA, "onecycle", 150)
    assert not preset_fills(LE_HUA.model_copy(update={"preset": "cifar10_vgg16"}), "onecycle", 72)
