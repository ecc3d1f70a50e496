import numpy as np
import pytest

from stages.reporting.sections import arms
from tests.reporting.helpers import report_of

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


@pytest.fixture
def report(make_study):
    return report_of(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES)


def test_every_arm_is_a_row_in_percent(report):
    table = arms.table(report).set_index(["method", "schedule"])
    assert len(table) == 4
    runs = report.results.arms["l1", "onecycle"].replicates
    accuracies = [100 * run.last.test["accuracy"] for run in runs]
    row = table.loc[("l1", "onecycle")]
    assert row["test_top1_percent_mean"] == pytest.approx(np.mean(accuracies))
    assert row["test_top1_percent_sd"] == pytest.approx(np.std(accuracies, ddof=1))
    # 735,712 of 853,018 parameters and 90.9 of 125.5 M MACs; 72 of 160 epochs
    assert row["parameters_kept_percent"] == pytest.approx(86.248, abs=1e-3)
    assert row["macs_kept_percent"] == pytest.approx(72.430, abs=1e-3)
    cost = row["retraining_macs_percent_of_dense_training"]
    assert cost == pytest.approx(0.45 * 72.430, abs=1e-3)


def test_the_page_does_not_say_that_weights_stay_where_an_objective_follows(make_study):
    repaired = {"curve": "onecycle", "repair": "batchnorm"}
    entries = {"finetune": repaired, "onecycle": repaired | {"objective": "reconstruct"}}
    text = arms.text(report_of(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES, entries))
    alone, before = text.split("`onecycle` estimates")
    assert "`finetune` estimates" in alone
    assert "to the bit" in alone
    assert "others than those of an arm without" in before
    assert "to the bit" not in before


@pytest.mark.parametrize(
    ("repair", "words"),
    [
        ("batchnorm", "`onecycle` estimates the statistics of BatchNorm anew before training"),
        ("variance", "where the network has no others, this too estimates statistics and changes"),
        (None, ""),
    ],
)
def test_the_page_says_where_a_repair_does_nothing(repair, words, make_study):
    curves = {"finetune": {"curve": "constant"}, "onecycle": {"curve": "onecycle"}}
    entries = {**curves, "onecycle": {**curves["onecycle"], "repair": repair}}
    found = report_of(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES, entries)
    assert words in arms.text(found)
    assert ("before training" in arms.text(found)) is bool(repair)


def test_the_loss_is_the_negative_log_likelihood_after_the_last_epoch(report):
    runs = report.results.arms["random", "onecycle"].replicates
    loss = arms.table(report).iloc[-1]["test_loss_mean"]
    assert loss == pytest.approx(np.mean([run.last.test["nll"] for run in runs]))


def test_the_difference_to_dense_is_paired_by_seed(report):
    row = arms.table(report).iloc[0]
    arm, dense = report.results.arms["l1", "finetune"], report.results.dense
    pairs = zip(arm.replicates, dense.replicates, strict=True)
    differences = [
        100 * (run.last.test["accuracy"] - point.test["accuracy"]) for run, point in pairs
    ]
    assert row["difference_to_dense_points_mean"] == pytest.approx(np.mean(differences))


def test_the_baseline_has_no_row_among_the_comparisons_with_it(report):
    table = arms.PAIRED.table(report)
    assert table["schedule"].tolist() == ["onecycle", "onecycle"]
    assert (table["difference_points_low"] < table["difference_points_mean"]).all()
