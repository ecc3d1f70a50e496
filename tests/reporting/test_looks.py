"""A study that grows is judged by the levels of its look, everywhere; others as ever."""

import re

import pytest
from scipy import stats

from stages.reporting.page import page
from stages.reporting.pairs import pairs
from tests.reporting.helpers import change, report_of

ARMS = ["finetune", "onecycle"]
GAINS = [0.02, 0.022, 0.012, 0.03, 0.01, 0.026]
"""Mean 2.0 points, sd 0.7797: t = 6.28 with 5 degrees of freedom, p = .0015."""


@pytest.fixture
def folder(make_study):
    found = make_study(["l1"], ARMS, seeds=6)
    change(found, "l1", "finetune", [0.9] * 6)
    change(found, "l1", "onecycle", [0.9 + gain for gain in GAINS])
    return found


def test_the_levels_are_those_of_the_look(folder):
    """P = .0015 is enough at 5 % and at looks of 6 and 8, not as the first of four."""
    once = report_of(folder, ["l1"], ARMS)
    first = report_of(folder, ["l1"], ARMS, looks=[6, 9, 12, 16])
    last = report_of(folder, ["l1"], ARMS, looks=[3, 6])
    assert [pairs(each)[0].verdict for each in (once, first, last)] == [
        "better",
        "undecided",
        "better",
    ]
    (pair,) = pairs(first)
    half = stats.t.ppf(1 - 0.0013714 / 2, 5) * pair.difference.sd / 6**0.5
    assert pair.difference.high - pair.difference.mean == pytest.approx(half, rel=1e-3)


def test_winner_and_verdict_agree(folder):
    first = report_of(folder, ["l1"], ARMS, looks=[6, 9, 12, 16])
    assert first.cells[0].contest.winner is None
    assert report_of(folder, ["l1"], ARMS).cells[0].contest.winner == "onecycle"


def test_the_page_names_the_look_and_its_levels(folder):
    text = page(report_of(folder, ["l1"], ARMS, looks=[6, 9, 12, 16]))
    (line,) = re.findall(r"^- This study grows.*$", text, re.MULTILINE)
    assert "planned at 6, 9, 12 and 16 replicates, and this is the one at 6." in line
    assert "Its intervals have 99.86 %" in line
    assert "wrong in about 5 % of studies" in line
    assert "Brackets hold 99.86 % t-intervals" in text


def test_a_study_that_is_looked_at_once_is_as_ever(folder):
    text = page(report_of(folder, ["l1"], ARMS))
    assert "This study grows" not in text
    assert "Brackets hold 95 % t-intervals" in text
