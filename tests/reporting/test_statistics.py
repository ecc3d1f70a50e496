import math
import warnings

import pandas as pd
import pytest

from stages.pipeline.fault import Fault
from stages.reporting.statistics import bonferroni, contest, estimate, paired


def series(*values, name="arm", seeds=None):
    return pd.Series(values, index=seeds or range(len(values)), name=name, dtype=float)


def test_t_interval_by_hand():
    # mean 2.5; sd = sqrt((2.25 + .25 + .25 + 2.25) / 3); t(3, .975) = 3.182446
    value = estimate(series(1, 2, 3, 4), 0.95)
    half = 3.182446 * 1.2909944 / 2
    assert (value.mean, value.n) == (2.5, 4)
    assert value.sd == pytest.approx(1.2909944)
    assert value.low == pytest.approx(2.5 - half, abs=1e-5)
    assert value.high == pytest.approx(2.5 + half, abs=1e-5)


def test_confidence_widens_the_interval():
    # t(2, .95) = 2.919986 for 90 %; sd of 1, 2, 3 is 1
    value = estimate(series(1, 2, 3), 0.9)
    assert value.high - 2 == pytest.approx(2.919986 / math.sqrt(3), abs=1e-5)


def test_one_replicate_has_no_interval():
    value = estimate(series(3), 0.95)
    assert value.mean == 3
    assert math.isnan(value.sd)
    assert math.isnan(value.low)
    assert not value.has_interval
    assert not value.above_zero


def test_equal_values_give_an_interval_of_no_width_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value = estimate(series(2, 2, 2), 0.95)
    assert (value.low, value.high, value.sd) == (2, 2, 0)


def test_pairs_are_formed_by_seed_not_by_position():
    first, second = series(1, 2, seeds=[7, 8]), series(5, 1, seeds=[8, 7])
    # seed 7: 1 - 1; seed 8: 2 - 5
    assert paired(first, second, 0.95).mean == pytest.approx((0 - 3) / 2)


def test_pairing_removes_what_seeds_share():
    first, second = series(1, 5, 9), series(0, 4, 8)
    assert paired(first, second, 0.95).low == pytest.approx(1)


def test_unequal_seeds_are_a_fault_that_names_both():
    with pytest.raises(Fault, match=r"left has the seeds \[0, 1\], right has \[0, 2\]"):
        paired(series(1, 2, name="left"), series(1, 2, name="right", seeds=[0, 2]), 0.95)


def test_bonferroni_shares_the_error_among_the_comparisons():
    assert bonferroni(0.95, 5) == pytest.approx(0.99)
    assert bonferroni(0.95, 0) == 0.95


def test_an_arm_wins_when_every_margin_is_above_zero():
    result = contest({"a": series(1, 2, 3), "b": series(5, 6.1, 7), "c": series(2, 3, 4)}, 0.95)
    assert result.winner == "b"
    assert result.runner_up == "c"
    assert result.confidence == pytest.approx(0.975)


def test_no_arm_wins_while_one_rival_is_too_close():
    scores = {"a": series(1, 2, 3), "b": series(5, 6, 7), "c": series(6, 5, 6)}
    result = contest(scores, 0.95)
    assert result.winner is None
    assert result.best == "b"
    assert result.indistinct == ["c"]


def test_the_adjustment_can_take_a_win_away():
    # differences 0.5, 1, 1.5: mean 1, sd .5, t = 3.46; 2.92 < 3.46 < 4.30 (two-sided 90 and 95 %)
    best, close = series(1.5, 2, 2.5), series(1, 1, 1)
    assert contest({"best": best, "close": close}, 0.9).winner == "best"
    far = series(-9, -8.5, -8)
    assert contest({"best": best, "close": close, "far": far}, 0.9).winner is None


def test_equal_arms_have_no_winner():
    assert contest({"a": series(1, 2), "b": series(1, 2)}, 0.95).indistinct == ["b"]


def test_one_replicate_has_no_winner():
    assert contest({"a": series(1), "b": series(9)}, 0.95).winner is None


def test_one_arm_has_no_winner():
    result = contest({"a": series(1, 2)}, 0.95)
    assert (result.winner, result.runner_up, result.indistinct) == (None, None, [])
