import pytest

from stages.reporting.crossing import choose, cross
from stages.reporting.sections.crossed import find, table
from tests.reporting.helpers import change, report_of

METHODS = ["l1", "random"]


def test_the_best_schedule_is_chosen_on_validation_not_on_test(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(METHODS, schedules)
    change(folder, "l1", "scaled", test=[0.5] * 3, validation=[0.99] * 3)
    change(folder, "l1", "onecycle", test=[0.99] * 3, validation=[0.5] * 3)
    assert choose(report_of(folder, METHODS, schedules)) == ("scaled", "validation")


def test_without_validation_the_choice_is_made_on_test_and_says_so(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(METHODS, schedules, validation=False)
    change(folder, "l1", "scaled", test=[0.99] * 3)
    assert choose(report_of(folder, METHODS, schedules)) == ("scaled", "test")


def test_another_budget_and_a_fresh_start_are_not_chosen(make_study):
    schedules = ["finetune", "lr_rewind", "onecycle", "linear"]
    folder = make_study(METHODS, schedules)
    change(folder, "l1", "onecycle", validation=[0.99] * 3, epochs=160)
    change(folder, "l1", "linear", validation=[0.99] * 3, start="fresh")
    change(folder, "l1", "lr_rewind", validation=[0.95] * 3)
    assert choose(report_of(folder, METHODS, schedules))[0] == "lr_rewind"


def test_the_crossed_comparison_stands_beside_those_of_one_schedule(make_study):
    schedules = ["finetune", "onecycle"]
    folder = make_study(METHODS, schedules)
    change(folder, "l1", "finetune", test=[0.90, 0.91, 0.92])
    change(folder, "l1", "onecycle", test=[0.94, 0.94, 0.94], validation=[0.94] * 3)
    change(folder, "random", "finetune", test=[0.89, 0.90, 0.91])
    change(folder, "random", "onecycle", test=[0.93, 0.93, 0.93])
    crossed = cross(report_of(folder, METHODS, schedules))
    assert crossed.crossed.difference.mean == pytest.approx(2)
    assert crossed.same_baseline.difference.mean == pytest.approx(-1)
    assert crossed.same_best.difference.mean == pytest.approx(-1)
    assert crossed.crossed.first == ("random", "onecycle")
    assert crossed.crossed.second == ("l1", "finetune")


def test_nothing_is_crossed_when_the_baseline_is_the_best(make_study):
    schedules = ["finetune", "onecycle"]
    folder = make_study(METHODS, schedules)
    change(folder, "l1", "finetune", validation=[0.99] * 3)
    crossed = cross(report_of(folder, METHODS, schedules))
    assert (crossed.best, crossed.crossed, crossed.same_best) == ("finetune", None, None)


def test_one_method_in_both_roles_compares_no_methods(make_study):
    folder = make_study(["l1"], ["finetune"])
    assert cross(report_of(folder, ["l1"], ["finetune"])) is None


def test_crossed_rows_agree_with_their_cells(make_study):
    schedules = ["finetune", "onecycle"]
    rows = table(find(report_of(make_study(METHODS, schedules), METHODS, schedules)))
    kinds = ["same_schedule_baseline", "same_schedule_best", "crossed"]
    assert rows["comparison"].tolist() == kinds
    difference = rows["first_test_top1_percent_mean"] - rows["second_test_top1_percent_mean"]
    assert difference.to_numpy() == pytest.approx(rows["difference_points_mean"].to_numpy())


def test_no_crossed_comparison_leaves_a_header(make_study):
    rows = table(find(report_of(make_study(["l1"], ["finetune"]), ["l1"], ["finetune"])))
    assert len(rows) == 0
    assert "difference_points_low" in rows.columns
