import pytest

from stages.reporting.sections.tradeoffs import figure, find, table
from tests.reporting.helpers import change, diverge, report_of

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


def axes(folder):
    found = find(report_of(folder, METHODS, SCHEDULES))
    return list(found.axes) if found else None


def test_arms_of_one_size_and_one_cost_have_nothing_to_trade(make_study):
    assert axes(make_study(METHODS, SCHEDULES)) is None


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"parameters": 400_000}, ["parameters kept, %"]),
        ({"macs": 50_000_000}, ["MACs kept, %"]),
        ({"training_macs": 1_000_000}, ["training MACs, % of dense"]),
        ({"parameters": 735_713}, None),
    ],
)
def test_an_axis_is_drawn_where_it_has_two_values(make_study, changes, shown):
    folder = make_study(METHODS, SCHEDULES)
    change(folder, "random", "onecycle", **changes)
    assert axes(folder) == shown


def test_training_is_that_of_the_dense_run_and_the_retraining(make_study):
    """The dense run takes 160 epochs of 125.5 M MACs; half as many again make 150 %."""
    folder = make_study(METHODS, SCHEDULES)
    change(folder, "l1", "onecycle", training_macs=80 * 125_500_000, epochs=80)
    rows = table(find(report_of(folder, METHODS, SCHEDULES)))
    row = rows[(rows.method == "l1") & (rows.schedule == "onecycle")].iloc[0]
    assert row.total_macs_percent_of_dense_training == pytest.approx(150)
    assert row.total_epochs == 160 + 80
    assert row.macs_kept_percent == pytest.approx(100 * 90.9 / 125.5)


def test_an_arm_that_diverged_is_no_point(make_study):
    folder = make_study(METHODS, SCHEDULES)
    change(folder, "random", "onecycle", macs=50_000_000)
    diverge(folder, "random", "onecycle", [0])
    assert axes(folder) is None


def test_points_are_at_their_price_and_their_accuracy(make_study):
    folder = make_study(METHODS, SCHEDULES)
    change(folder, "l1", "finetune", test=[0.90, 0.91, 0.92])
    change(folder, "random", "finetune", macs=50_000_000)
    (panel,) = figure(find(report_of(folder, METHODS, SCHEDULES))).axes
    points = [line for line in panel.lines if line.get_marker() not in ("None", "")]
    ((x,), (y,)) = points[0].get_data()
    # set apart sideways by less than a percent of the axis
    assert x == pytest.approx(100 * 90.9 / 125.5, abs=0.5)
    assert y == pytest.approx(91)
