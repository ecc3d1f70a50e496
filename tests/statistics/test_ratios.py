import math

import numpy as np
import pytest
from scipy import stats
from scipy.stats import ttest_1samp

from stages.statistics.ratios import mean_ratio, ratio


def test_the_ends_are_where_the_t_test_just_rejects():
    chance = np.random.default_rng(0)
    second = 4 + chance.standard_normal(8)
    first = 0.8 * second + 0.5 * chance.standard_normal(8)
    found = ratio(first, second, 0.95)
    assert found.value == pytest.approx(first.mean() / second.mean(), rel=1e-12)
    assert found.low < found.value < found.high
    for end in (found.low, found.high):
        assert ttest_1samp(first - end * second, 0).pvalue == pytest.approx(0.05, rel=1e-6)


def test_two_pairs_by_hand():
    """X = 1, 3; y = 4, 4: the ratio 1/2; the mean of x is 2 +- 12.7062, over 4."""
    found = ratio([1, 3], [4, 4], 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, -2.67655, 3.67655), rel=1e-5)


def test_proportional_gains_have_no_spread():
    found = ratio([4, 5, 6], [8, 10, 12], 0.95)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5, 0.5), abs=1e-6)


@pytest.mark.parametrize(("first", "second"), [([1.0], [2.0]), ([1, 2, 3], [-1, 0.1, 1])])
def test_there_is_no_interval_of_one_pair_nor_over_what_may_be_0(first, second):
    found = ratio(first, second, 0.95)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize("n", [4, 12])
def test_it_covers_the_true_ratio(n):
    chance = np.random.default_rng(n)
    covered = 0
    for _ in range(2000):
        second = 4 + 0.8 * chance.standard_normal(n)
        first = 0.85 * 4 + 0.6 * (second - 4) + 0.7 * chance.standard_normal(n)
        found = ratio(first, second, 0.95)
        covered += math.isnan(found.low) or found.low <= 0.85 <= found.high
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


def test_the_mean_of_two_ratios_by_hand():
    """Shares of 1/2 and 3/4 with no cross terms: errors 1/3/16 and 1/3/64, 2 degrees each.

    x = 1, 2, 3 over y = 4, 4, 4: the rest is -1/4, 0, 1/4, its variance 1/16. x = 5, 6, 7 over
    y = 8, 8, 8: 1/64. The sum is 5/192; the degrees are (5/192)^2 / ((1/48)^2 + (1/192)^2) * 2
    = 50/17; t(0.975, 50/17) = 3.2188.
    """
    found = mean_ratio([([1, 2, 3], [4, 4, 4]), ([5, 6, 7], [8, 8, 8])], 0.95)
    half = stats.t(50 / 17).ppf(0.975) * math.sqrt(5 / 192) / 2
    assert found.value == pytest.approx(0.625)
    assert (found.low, found.high) == pytest.approx((0.625 - half, 0.625 + half))


def test_the_mean_of_ratios_of_one_seed_or_without_spread():
    alone = mean_ratio([([1.0], [2.0]), ([1, 2], [4, 4])], 0.95)
    assert alone.value == pytest.approx((0.5 + 0.375) / 2)
    assert math.isnan(alone.low)
    sure = mean_ratio([([4, 5], [8, 10])], 0.95)
    assert (sure.low, sure.value, sure.high) == pytest.approx((0.5, 0.5, 0.5))


@pytest.mark.parametrize(
    "gains",
    [[(3.4, 4.1, 1.1, 8)], [(3.4, 4.1, 1.1, 8), (17, 20, 3, 8)], [(0.5, 1, 0.5, 8), (3, 4, 1, 16)]],
)
def test_it_covers_the_mean_of_true_ratios(gains):
    """Gains (first, second, spread, n) that share two thirds of their variance."""
    chance = np.random.default_rng(len(gains))
    true = np.mean([first / second for first, second, _, _ in gains])
    covered = 0
    for _ in range(1000):
        pairs = []
        for first, second, spread, n in gains:
            common = chance.normal(0, spread, n)
            own = chance.normal(0, spread / 2, (2, n))
            pairs.append((first + common + own[0], second + common + own[1]))
        found = mean_ratio(pairs, 0.95)
        covered += found.low <= true <= found.high
    assert 0.935 < covered / 1000 < 0.985
