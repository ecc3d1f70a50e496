import re

import pytest

from tests.benchmarks import matrix
from tests.benchmarks.runner import ALL_UNCHANGED, stage_rows, stages

ALONE = [("runner / 0.1 s a stage", "s"), ("runner / plain sh", "ms a stage")]


def test_a_stage_has_a_tenth_of_a_second():
    values = {"runner": [60.0, 30.0], "plain sh": [6.0, 6.0], "0.1 s a stage": [60.0, 60.0]}
    whole, each = stage_rows("600 stages", 600, values)
    assert (whole.ratio, whole.median, whole.high, whole.goal) == (ALONE[0][0], 0.75, 1, "<= 1.00")
    assert (each.top, each.bottom, each.unit) == (75.0, 10.0, "ms a stage")


@pytest.mark.parametrize(("line", "idle"), [("51 unchanged", True), ("3 ran, 51 unchanged", False)])
def test_nothing_done_is_all_unchanged(line, idle):
    assert bool(re.search(ALL_UNCHANGED, f"{line}\n")) == idle


def test_a_few_stages_from_end_to_end(monkeypatch):
    monkeypatch.setattr(matrix, "AXES", {2: (1, 2, 1)})
    rows = stages(2, True, 1)
    repro = ("runner / dvc repro", "s")
    assert [(row.ratio, row.unit) for row in rows] == [ALONE[0], repro, ALONE[1]]
    assert {(row.case, row.setting, row.n) for row in rows} == {
        ("runner-stages", "2 stages, 2 keys", 1)
    }
