import numpy as np
import pytest
from scipy import stats

from stages.statistics.interactions import interaction

# six seeds, three schedules, four methods
SCORES = np.array(
    [
        [[92.0, 87.4, 90.4, 89.4], [89.5, 90.2, 88.4, 90.6], [89.1, 94.5, 91.4, 92.0]],
        [[89.7, 89.3, 88.9, 89.6], [90.5, 90.2, 91.4, 90.6], [90.0, 92.7, 91.7, 91.9]],
        [[89.8, 90.5, 91.9, 89.7], [89.8, 91.4, 89.5, 90.5], [90.9, 91.8, 91.3, 93.1]],
        [[87.2, 91.0, 89.0, 88.3], [90.3, 91.1, 90.0, 89.7], [90.0, 91.1, 92.6, 93.1]],
        [[90.2, 91.1, 89.8, 89.1], [90.6, 91.0, 90.2, 90.0], [90.2, 88.7, 91.9, 92.9]],
        [[88.4, 90.1, 89.0, 90.8], [88.0, 89.5, 91.1, 92.0], [87.8, 90.7, 91.5, 91.8]],
    ]
)


def test_two_by_two_is_the_t_test_of_the_difference_of_differences():
    # by seed 1, 2, 3: t = 2 / (1 / sqrt 3), F = 12 at 1 and 2 degrees, p = 1 - sqrt(12 / 14)
    scores = np.array([[[5, 4], [3, 3]], [[9, 6], [5, 4]], [[7, 7], [2, 5]]], float)
    found = interaction(scores)
    assert found.statistic == pytest.approx(12)
    assert (found.numerator, found.denominator) == pytest.approx((1, 2))
    assert found.p_value == pytest.approx(1 - (12 / 14) ** 0.5)


def test_more_levels_as_two_libraries_have_it():
    """F of statsmodels 0.15's AnovaRM; epsilon and p of pingouin 0.7's rm_anova."""
    found = interaction(SCORES)
    assert found.statistic == pytest.approx(1.444099, rel=1e-6)
    assert found.numerator == pytest.approx(6 * 0.310995, rel=1e-5)
    assert found.denominator == pytest.approx(30 * 0.310995, rel=1e-5)
    assert found.p_value == pytest.approx(0.282421, abs=1e-6)


def test_two_schedules_are_the_one_way_test_of_their_differences():
    """With one factor of two levels the rest is an analysis of variance of the differences."""
    differences = SCORES[:, 0] - SCORES[:, 1]
    centred = differences - differences.mean(1, keepdims=True)
    error = ((centred - centred.mean(0)) ** 2).sum() / 15
    expected = 6 * (centred.mean(0) ** 2).sum() / 3 / error
    found = interaction(SCORES[:, :2])
    assert found.statistic == pytest.approx(expected)
    assert found.p_value == pytest.approx(
        stats.f.sf(expected, found.numerator, found.denominator), rel=1e-9
    )


def test_what_seeds_schedules_and_methods_add_is_no_interaction():
    added = 5 * np.arange(6)[:, None, None] + 2 * np.arange(3)[:, None] + np.arange(4)
    assert interaction(SCORES + added).statistic == pytest.approx(interaction(SCORES).statistic)
    assert interaction(added.astype(float)) is None


@pytest.mark.parametrize("shape", [(1, 2, 2), (4, 1, 3), (4, 3, 1)])
def test_too_little_to_test(shape):
    assert interaction(np.ones(shape)) is None
