import math
import warnings

import pandas as pd
import pytest

from stages.pipeline.fault import Fault
from stages.statistics.estimates import bonferroni, estimate, paired


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
    assert math.isnan(value.high)
    assert not value.has_interval
    assert not value.above_zero
    assert not value.below_zero


def test_two_replicates_have_an_interval():
    # mean 2, sd sqrt(2), t(1, .975) = 12.706205: half is 12.706205 * sqrt(2) / sqrt(2)
    value = estimate(series(1, 3), 0.95)
    assert value.has_interval
    assert (value.low, value.high) == pytest.approx((2 - 12.706205, 2 + 12.706205), abs=1e-5)


@pytest.mark.parametrize(
    ("values", "above", "below"),
    [
        ((1, 1, 1), True, False),
        ((-1, -1, -1), False, True),
        ((0, 0, 0), False, False),
        ((-1, 3), False, False),
        ((-3, 1), False, False),
    ],
)
def test_an_interval_that_holds_0_lies_on_neither_side(values, above, below):
    value = estimate(series(*values), 0.95)
    assert (value.above_zero, value.below_zero) == (above, below)


def test_p_of_the_t_test_by_hand():
    # t = 2 / (1 / sqrt 3) = 3.4641; p = 1 - t / sqrt(t^2 + 2) = 1 - sqrt(12 / 14) at 2 degrees
    assert estimate(series(1, 2, 3), 0.95).p_value == pytest.approx(1 - math.sqrt(12 / 14))
    assert math.isnan(estimate(series(1), 0.95).p_value)
    assert math.isnan(estimate(series(2, 2), 0.95).p_value)


def test_no_value_is_no_estimate():
    value = estimate([], 0.95)
    assert (value.n, value.has_interval) == (0, False)
    assert math.isnan(value.mean)


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
