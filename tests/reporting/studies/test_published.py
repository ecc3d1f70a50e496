"""Published values, and ours beside them."""

from dataclasses import replace

import pytest

from stages.presets.preset import preset_files, read_params
from stages.reporting.studies.published import cells, published, text

LE_HUA, FILTERS, WEIGHTS, *WANG = published()
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
ARMS = {("pfec", name): [0.92, 0.93] for name in ENTRIES}
DATA = {"source": "cifar10", "root": "data/raw", "validation": 0.0}
MODEL = {"factory": "resnet56", "options": {}}


@pytest.fixture
def study(read_study):
    """A study by Le & Hua's settings at two budgets, one arm of which has a key of its own."""
    arms = {("l1", name): values for (_, name), values in ARMS.items()}
    found = read_study("ours", arms, EPOCHS, ENTRIES, data=DATA, model=MODEL)
    return replace(found, methods={"l1": B})


def run(table, *studies):
    return {(c.schedule, c.epochs): c for c in cells(table, studies) if c.study}


def test_the_values_are_those_of_the_papers():
    """As in the text of Le & Hua's figure, in Renda's and in Wang's results."""
    assert LE_HUA.values["onecycle"][2] == 0.20
    assert (LE_HUA.epochs[0], LE_HUA.epochs[-1]) == (40, 152)
    assert LE_HUA.values["scaled"][-1] == 0.24
    assert [FILTERS.values[n][0] for n in ("finetune", "weight_rewind", "lr_rewind")] == [
        93.19, 93.25, 93.64,
    ]  # fmt: skip
    assert WEIGHTS.values["weight_rewind"] == [90.59, 92.09, 90.41]
    gaps = [round(t.values["rate 0.01"][0] - t.values["rate 0.001"][0], 2) for t in WANG]
    assert gaps == [0.36, 0.49, -0.82]


def test_every_table_has_a_source_and_a_value_for_each_of_its_epochs():
    for table in published():
        assert table.source
        assert {len(values) for values in table.values.values()} == {len(table.epochs)}
        assert {*table.hidden} <= {*table.values}
        assert all({*hidden} <= {*table.epochs} for hidden in table.hidden.values())
        assert not table.schedules or {*table.schedules} == {*table.values}


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
    ],
)
def test_other_data_and_other_networks_are_not_held_against_it(study, change):
    assert run(LE_HUA, study)
    assert not run(LE_HUA, replace(study, dense={**study.dense, **change}))


def test_nor_are_other_methods_and_other_dense_runs(study):
    other = B | {"allocation": {"kind": "uniform", "ratio": 0.3}}
    assert not run(LE_HUA, replace(study, methods={"l1": other}))
    assert not run(LE_HUA, replace(study, dense_epochs=182))
    assert not any(run(table, study) for table in (FILTERS, WEIGHTS, *WANG))


def test_the_page_says_what_was_not_run_and_by_how_much_ours_differs(study):
    found = text([study])
    assert "difference to the dense network (3 of 32 run)" in found
    assert "| `onecycle` | 88 | +0.17 | not run | – | – | – |" in found
    assert "| `finetune` | 40 | ~−0.52 | " in found
    [row] = [line for line in found.splitlines() if line.startswith("| `onecycle` | 72 |")]
    ours = run(LE_HUA, study)["onecycle", 72].ours
    assert f"| {ours.mean:+.2f} | {ours.mean - 0.20:+.2f} [".replace("-", "−") in row
    assert "[ours](ours/README.md)" in row
    assert text([]).count("(0 of ") == 6


@pytest.mark.parametrize("table", [t for t in published() if t.preset], ids=lambda t: t.paper)
def test_the_preset_of_a_table_has_its_settings(table):
    settings = read_params(preset_files()[table.preset])
    assert table.data.items() <= settings["data"].items()
    assert settings["model"]["factory"] == table.network.factory
    assert settings["train"]["epochs"] == table.dense_epochs
    assert table.method in settings["prune"]["methods"].values()
    schedules = settings["retrain"]["schedules"].values()
    without = [{k: v for k, v in entry.items() if k != "epochs"} for entry in schedules]
    assert all(entry in without for entry in table.schedules.values())
