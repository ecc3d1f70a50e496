import pytest

from stages.reporting.measures import dense_test, last_test
from stages.reporting.sections.replicates import table
from tests.reporting.helpers import change, diverge, report_of

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


def test_there_is_a_row_for_every_arm_and_seed(make_study):
    folder = make_study(METHODS, SCHEDULES)
    change(folder, "l1", "onecycle", [0.91, 0.92, 0.93])
    report = report_of(folder, METHODS, SCHEDULES)
    rows = table(report).set_index(["method", "schedule", "seed"])
    assert len(rows) == 2 * 2 * 3
    ours = rows.loc["l1", "onecycle"].test_top1_percent
    assert ours.tolist() == pytest.approx([91, 92, 93])
    assert rows.dense_test_top1_percent["l1", "onecycle", 2] == dense_test(report.results.dense)[2]


def test_the_means_of_the_report_come_out_of_it(make_study):
    report = report_of(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES)
    means = table(report).groupby(["method", "schedule"]).test_top1_percent.mean()
    for key, arm in report.results.arms.items():
        assert means[key] == pytest.approx(last_test(arm).mean())


def test_a_replicate_that_diverged_has_its_epoch_and_no_values(make_study):
    folder = make_study(METHODS, SCHEDULES)
    diverge(folder, "random", "onecycle", [1], epoch=4)
    rows = table(report_of(folder, METHODS, SCHEDULES)).set_index(["method", "schedule", "seed"])
    gone = rows.loc["random", "onecycle", 1]
    assert gone.diverged_in_epoch == 4
    assert gone[["test_top1_percent", "test_loss"]].isna().all()
    assert rows.diverged_in_epoch.notna().sum() == 1
