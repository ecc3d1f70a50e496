import pandas as pd
import pytest

from stages.statistics.contests import best_set, contest, distinct


def series(*values):
    return pd.Series(values, dtype=float)


def test_an_arm_wins_when_every_margin_is_above_zero():
    result = contest({"a": series(1, 2, 3), "b": series(5, 6.1, 7), "c": series(2, 3, 4)}, 0.95)
    assert result.winner == "b"
    assert result.runner_up == "c"
    assert result.best_set == ["b"]


def test_no_arm_wins_while_one_rival_is_too_close():
    scores = {"a": series(1, 2, 3), "b": series(5, 6, 7), "c": series(6, 5, 6)}
    result = contest(scores, 0.95)
    assert result.winner is None
    assert result.best == "b"
    assert result.best_set == ["b", "c"]


def test_each_rival_is_held_against_the_whole_level():
    # differences 0.5, 1, 1.5: mean 1, sd .5, t = 3.46; t(2, .95) = 2.92, t(2, .975) = 4.30
    best, close, far = series(1.5, 2, 2.5), series(1, 1, 1), series(-9, -8.5, -8)
    assert contest({"best": best, "close": close}, 0.95).winner is None
    result = contest({"best": best, "close": close, "far": far}, 0.9)
    assert result.winner == "best"
    assert result.margins["close"].low == pytest.approx(1 - 2.919986 * 0.5 / 3**0.5, abs=1e-6)


def test_the_best_set_shares_the_error_among_rivals():
    # the lead of 1 above has t = 3.46: beyond t(2, .95) = 2.92 of one rival, not t(2, .975) of two
    scores = {"best": series(1.5, 2, 2.5), "close": series(1, 1, 1)}
    assert best_set(scores, 0.95) == ["best"]
    assert best_set(scores | {"far": series(-9, -8.5, -8)}, 0.95) == ["best", "close"]


def test_one_that_scatters_widely_stays_in_the_best_set_and_shields_nobody():
    steady = {"a": series(5, 5.1, 5, 4.9), "b": series(4, 4.1, 4.05, 3.9)}
    assert best_set(steady | {"wild": series(0, 9, 1, 3)}, 0.95) == ["a", "wild"]


def test_equal_arms_have_no_winner():
    assert contest({"a": series(1, 2), "b": series(1, 2)}, 0.95).best_set == ["a", "b"]


def test_one_replicate_has_no_winner():
    result = contest({"a": series(1), "b": series(9)}, 0.95)
    assert (result.winner, result.best_set) == (None, ["b", "a"])


def test_one_arm_has_no_winner():
    result = contest({"a": series(1, 2)}, 0.95)
    assert (result.winner, result.runner_up, result.best_set) == (None, None, ["a"])


def test_identical_arms_compete_once_and_are_named():
    scores = {"a": series(5, 6.1, 7), "b": series(1, 2, 3), "twin": series(5, 6.1, 7)}
    assert contest(scores, 0.95).winner is None
    result = contest(scores, 0.95, alike=[["twin", "a"], ["b"]])
    assert result.winner == "a"
    assert result.twins == {"a": ["twin"]}
    assert list(result.margins) == ["b"]


@pytest.mark.parametrize(
    ("alike", "expected"),
    [
        ([], {"a": [], "b": [], "c": [], "d": []}),
        ([["a", "b", "c"]], {"a": ["c"], "b": [], "d": []}),
        ([["a", "b"], ["c", "d"]], {"a": [], "b": [], "c": ["d"]}),
    ],
)
def test_twins_have_equal_plans_and_equal_scores(alike, expected):
    scores = {"a": series(1, 2), "b": series(1, 3), "c": series(1, 2), "d": series(1, 2)}
    assert distinct(scores, alike) == expected


def test_two_differences_that_coincide_win_nothing():
    """As they decide nothing in any pair: accuracies are multiples of one image."""
    assert contest({"a": series(5, 6), "b": series(3, 4)}, 0.95).winner is None
    assert contest({"a": series(5, 6, 7), "b": series(3, 4, 5)}, 0.95).winner == "a"


def test_two_differences_that_coincide_beat_no_arm():
    """The rule calls such pairs undecided, so the best set holds both of each."""
    scores = {"a": series(5, 6), "b": series(3, 4), "c": series(1, 1.9)}
    assert best_set(scores, 0.8) == ["a", "b"]
    assert best_set({"a": series(5, 6, 7), "b": series(3, 4, 5)}, 0.95) == ["a"]
