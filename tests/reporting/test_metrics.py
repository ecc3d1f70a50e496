import json

import pytest

from stages.reporting.sections import metrics
from tests.reporting.helpers import report_of

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


def set_metric(folder, name, values):
    """Give one arm's last test scores a metric of this name, one value per replicate."""
    path = folder / "arms/l1/onecycle.json"
    arm = json.loads(path.read_text())
    for run, value in zip(arm["replicates"], values, strict=True):
        run["last"]["test"][name] = value
    path.write_text(json.dumps(arm))


def found(folder):
    return metrics.find(report_of(folder, METHODS, SCHEDULES))


def row(table, **keys):
    for name, value in keys.items():
        table = table[table[name] == value]
    (only,) = table.to_dict("records")
    return only


def test_a_metric_that_the_report_does_not_know_reaches_page_and_table(make_study):
    folder = make_study(METHODS, SCHEDULES)
    set_metric(folder, "ece", [0.01, 0.02, 0.03])
    values = found(folder)
    arm = {"method": "l1", "schedule": "onecycle", "network": "last", "split": "test"}
    got = row(metrics.table(values), **arm)
    assert got["n"] == 3
    assert (float(got["ece_mean"]), float(got["ece_sd"])) == pytest.approx((0.02, 0.01))
    page = metrics.text(values)
    assert "| `ece` | `l1` |\n" in page
    assert "| `onecycle` | 0.0200 ± 0.0100 |" in page


def test_networks_stand_in_rows_and_methods_in_columns(make_study):
    page = metrics.text(found(make_study(METHODS, SCHEDULES)))
    head, _, *rows = page.split("\n\n")[5].splitlines()
    assert head == "| `brier` | `l1` | `random` |"
    names = [row.split(" | ")[0] for row in rows]
    assert names == ["| dense", "| pruned, not retrained", "| `finetune`", "| `onecycle`"]
    # Brier scores of the fixture are 1.6 (1 - accuracy): 0.1056, 0.1040, 0.1024
    assert rows[0] == "| dense | 0.1040 ± 0.0016 | 0.1040 ± 0.0016 |"
    assert "<summary>brier: the Brier score, lower is better</summary>" in page


def test_every_network_and_split_is_in_the_table(make_study):
    table = metrics.table(found(make_study(METHODS, SCHEDULES)))
    # dense; per method pruned and recalibrated; per arm last and selected
    networks = 1 + 2 * 2 + 2 * 2 * 2
    assert len(table) == networks * len(["validation", "test"])
    dense = row(table, network="dense", split="test")
    assert (dense["method"], dense["schedule"], dense["accuracy_mean"]) == ("", "", "0.935")


def test_without_validation_there_are_no_rows_of_it(make_study):
    table = metrics.table(found(make_study(METHODS, SCHEDULES, validation=False)))
    arms = table[table["network"].isin(["last", "selected"])]
    assert set(arms["split"]) == {"test"}


def test_a_metric_that_is_not_finite_has_no_mean(make_study):
    folder = make_study(METHODS, SCHEDULES)
    set_metric(folder, "nll", [0.2, None, 0.3])
    values = found(folder)
    got = row(
        metrics.table(values),
        method="l1",
        schedule="onecycle",
        network="last",
        split="test",
    )
    assert (got["nll_mean"], got["nll_sd"], got["n"]) == ("", "", 3)
    assert "| `onecycle` | – | " in metrics.text(values).split("`nll` |")[1]


def test_one_replicate_has_no_deviation(make_study):
    values = found(make_study(METHODS, SCHEDULES, seeds=1))
    table = metrics.table(values)
    assert {*table["accuracy_sd"], *table["nll_sd"]} == {""}
    assert "±" not in metrics.text(values)


def test_accuracy_alone_makes_no_section(make_study):
    folder = make_study(METHODS, SCHEDULES)
    for path in folder.rglob("*.json"):
        tree = json.loads(path.read_text(), object_hook=without_others)
        path.write_text(json.dumps(tree))
    assert found(folder) is None


def without_others(tree):
    return {key: value for key, value in tree.items() if key not in ("nll", "brier")}
