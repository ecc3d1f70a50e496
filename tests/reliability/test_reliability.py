"""A handful of random kills; `python -m tests.reliability` has more."""

import pytest

from tests.reliability.__main__ import attack, table
from tests.reliability.kills import KINDS

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]


@pytest.mark.parametrize("runner", ["dvc", "afterprune"])
def test_nothing_is_lost_or_left_by_kills(runner, tmp_path):
    report = attack(tmp_path / runner, runner, kills=len(KINDS), seed=0)
    assert report.sound, table(report)
    assert report.kills.total() == len(KINDS)
    assert {kind for _, kind in report.kills} == {*KINDS}
