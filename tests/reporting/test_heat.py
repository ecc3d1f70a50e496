import pytest

from stages.reporting.sections.heat import figure, find
from tests.reporting.helpers import change, diverge, report_of

METHODS, SCHEDULES = ["l1", "random", "fpgm"], ["finetune", "onecycle"]


@pytest.mark.parametrize(("methods", "schedules"), [(2, 2), (3, 1), (1, 1)])
def test_there_is_no_map_of_few_methods_or_of_one_schedule(make_study, methods, schedules):
    names = METHODS[:methods], SCHEDULES[:schedules]
    assert find(report_of(make_study(*names), *names)) is None


def test_a_cell_is_a_mean_and_empty_where_an_arm_diverged(make_study):
    folder = make_study(METHODS, SCHEDULES)
    change(folder, "random", "finetune", test=[0.90, 0.91, 0.95])
    diverge(folder, "fpgm", "onecycle", [1])
    found = find(report_of(folder, METHODS, SCHEDULES))
    assert found.loc["random", "finetune"] == pytest.approx(92)
    assert found.isna().sum().sum() == 1
    (panel,) = figure(found).axes
    assert "92.0" in [text.get_text() for text in panel.texts]
    assert len(panel.texts) == 3 * 2 - 1


def test_where_all_diverged_there_is_no_map(make_study):
    folder = make_study(METHODS, SCHEDULES)
    for method in METHODS:
        for schedule in SCHEDULES:
            diverge(folder, method, schedule)
    assert find(report_of(folder, METHODS, SCHEDULES)) is None
