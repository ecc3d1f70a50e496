import pytest

from stages.reporting.crossing import choose, cross
from stages.reporting.recommendation import recommend
from stages.reporting.sections import answer, arms
from stages.reporting.sections.crossed import find, table, text
from stages.reporting.sentences import sentences
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


ENTRIES = {
    "finetune": {"curve": "constant", "lr": "last"},
    "onecycle": {"curve": "onecycle"},
    "weight_rewind": {"start": "rewound", "curve": "replay"},
}


def best(make_study, name):
    """Return a report of two methods in which a schedule is the best by far."""
    folder = make_study(METHODS, list(ENTRIES))
    for method in METHODS:
        change(folder, method, name, test=[0.97, 0.98, 0.98], validation=[0.97] * 3)
    return report_of(folder, METHODS, list(ENTRIES), ENTRIES)


MIXED = "; a crossed comparison, of `start` and `curve` at once."


@pytest.mark.parametrize("name", ["onecycle", "weight_rewind"])
def test_one_key_is_a_plain_comparison_and_two_are_a_crossed_one(make_study, name):
    report = best(make_study, name)
    _, against = answer.text(answer.find(report)).split(" Against the baseline", 2)[:2]
    against = against.split(" Against the dense")[0]
    for said in (sentences(report, recommend(report, "l1"))[1], against):
        assert (MIXED in said) is (name == "weight_rewind")


def test_the_closest_rival_may_be_a_crossed_comparison(make_study):
    report = best(make_study, "onecycle")
    parts = answer.text(answer.find(report)).split("the closest, `weight_rewind`, ")
    assert len(parts) == 3
    assert all(MIXED in said.split("Against the")[0] for said in parts[1:])


def test_the_table_of_arms_says_what_each_differs_in(make_study):
    page = arms.text(best(make_study, "onecycle"))
    assert "| **`onecycle`** | `curve` | 72 |" in page
    assert "| `weight_rewind` | `start`, `curve` (crossed) | 72 |" in page
    assert "| `finetune` (baseline) | – | 72 |" in page


def test_paired_differences_say_what_the_arms_differ_in(make_study):
    rows = arms.PAIRED.table(best(make_study, "onecycle"))
    assert rows["differ_in"].tolist() == ["curve", "start curve"] * 2
    assert rows["crossed"].tolist() == ["no", "yes"] * 2


@pytest.mark.parametrize(
    ("name", "keys", "number"),
    [
        ("onecycle", "pruning and `curve`", "two changes"),
        ("weight_rewind", "pruning, `start` and `curve`", "three changes"),
    ],
)
def test_crossing_pruning_and_schedule_counts_what_varies(make_study, name, keys, number):
    found = find(best(make_study, name))
    page = text(found)
    assert page.count("| one change: pruning |") == 2
    assert f"| **{number}**: {keys} |" in page
    assert table(found)["differ_in"].tolist()[:2] == ["pruning", "pruning"]
    assert f"The crossed comparison mixes {number}," in answer.text(answer.find(found[0]))
