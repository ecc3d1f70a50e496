import pytest

from stages.reporting.sections.moved import find, table, text
from tests.reporting.helpers import count_images, diverge, report_of

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


@pytest.fixture
def study(make_study):
    """Distances of 0.25, 0.26 and 0.27, and a twentieth of the signs flipped."""
    folder = make_study(METHODS, SCHEDULES)
    count_images(folder)
    return folder


def test_means_and_deviations_by_hand(study):
    report = find(report_of(study, METHODS, SCHEDULES))
    row = table(report).iloc[0]
    assert (row.method, row.schedule) == ("l1", "finetune")
    assert row.distance_to_dense_mean == pytest.approx(0.26)
    assert row.distance_to_dense_sd == pytest.approx(0.01)
    assert row.signs_flipped_percent_mean == pytest.approx(5)
    cells = "0.260 ± 0.010 | 5.00 ± 0.00"
    assert f"| `finetune` | {cells} | {cells} |" in text(report)


def test_an_arm_that_diverged_has_a_dash(study):
    diverge(study, "random", "onecycle", [2])
    cells = "| `onecycle` | 0.260 ± 0.010 | 5.00 ± 0.00 | – | – |"
    assert cells in text(find(report_of(study, METHODS, SCHEDULES)))


def test_records_that_do_not_say_it_show_nothing(make_study):
    assert find(report_of(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES)) is None
