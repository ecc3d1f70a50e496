import numpy as np
import pytest

from stages.reporting.sections.calibration import find, table, text
from tests.reporting.helpers import change, count_images, diverge, report_of

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


@pytest.fixture
def study(make_study):
    """Records in which half of 200 images have a confidence of 0.6, the others one of 0.9."""
    folder = make_study(METHODS, SCHEDULES)
    change(folder, "l1", "finetune", test=[0.80, 0.80, 0.83])
    change(folder, "l1", "onecycle", test=[0.90, 0.90, 0.90])
    count_images(folder)
    return folder


def test_bins_of_all_replicates_together_by_hand(study):
    """Of 200 images 160, 160 and 166 are right: 100 at 0.9, the others at 0.6."""
    found = find(report_of(study, METHODS, SCHEDULES))
    each = next(e for e in found.every if (e.method, e.network) == ("l1", "finetune"))
    assert np.flatnonzero(each.images).tolist() == [8, 13]
    assert each.images[[8, 13]].tolist() == [300, 300]
    assert each.accuracy[[8, 13]] == pytest.approx([62, 100])
    assert each.confidence[[8, 13]] == pytest.approx([60, 90])
    assert each.error == pytest.approx((2 + 10) / 2)


def test_the_baseline_and_the_recommended_arm_are_drawn_beside_the_dense_network(study):
    found = find(report_of(study, METHODS, SCHEDULES))
    assert [each.network for each in found.drawn["l1"]] == ["dense", "finetune", "onecycle"]
    page = text(found)
    assert "Drawn are the dense network, `finetune` and `onecycle`: of each method" in page
    # onecycle: 80 and 100 right of 100, against 60 and 90
    assert "| `l1` + `onecycle` | 90.00 | 75.00 | 15.00 |" in page


def test_every_network_is_in_the_table(study):
    rows = table(find(report_of(study, METHODS, SCHEDULES)))
    assert len(rows) == 1 + 2 * 2
    row = rows[(rows.method == "l1") & (rows.network == "onecycle")].iloc[0]
    assert row.images == 600
    assert (row.right_percent, row.mean_confidence_percent) == pytest.approx((90, 75))
    assert row.calibration_error_points == pytest.approx(15)


def test_an_arm_that_diverged_has_no_bins(study):
    diverge(study, "l1", "finetune", [0])
    found = find(report_of(study, METHODS, SCHEDULES))
    assert [each.network for each in found.drawn["l1"]] == ["dense", "onecycle"]


def test_records_without_bins_show_nothing(make_study):
    assert find(report_of(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES)) is None
