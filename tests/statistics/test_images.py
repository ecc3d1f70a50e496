import math

import numpy as np
import pytest
from scipy.stats import t

from stages.statistics.images import two_level


def rows(differences):
    """Return correctness of two arms whose differences are these."""
    table = np.array(differences)
    return table > 0, table < 0


def test_two_levels_by_hand():
    """Seeds .5 and .25, images 1, .5, 0, 0, mean .375.

    MS_s = 4 * 2 * .125^2 = .125; MS_i = 2 * (.625^2 + .125^2 + 2 * .375^2) / 3 = .4583;
    SS = 3 - 8 * .375^2 = 1.875, less .125 and 1.375 leaves .375 for the rest, MS_si = .125.
    V = .4583 / 8; df = .4583^2 / (.125^2 + .4583^2 / 3 + .125^2 / 3) = 2.3121.
    """
    found = two_level(*rows([[1, 1, 0, 0], [1, 0, 0, 0]]), 0.95)
    assert found.mean == 37.5
    assert found.variance == pytest.approx(1e4 * 0.458333 / 8, rel=1e-5)
    assert found.df == pytest.approx(2.31211, rel=1e-5)
    half = t.ppf(0.975, 2.31211) * 23.9357
    assert (found.low, found.high) == pytest.approx((37.5 - half, 37.5 + half), rel=1e-4)


def test_where_images_add_nothing_seeds_alone_count():
    """Seeds 1, -1 over two images each, without rest: MS_s = 2 * 2 = 4, MS_i = MS_si = 0."""
    found = two_level(*rows([[1, 1], [-1, -1]]), 0.95)
    assert (found.mean, found.df) == (0, 1)
    assert found.variance == pytest.approx(1e4 * 4 / 4)
    assert found.high == pytest.approx(100 * 12.7062, rel=1e-5)


def test_images_that_agree_less_than_chance_do_not_narrow_the_interval():
    """Images cancel out: MS_i = 0 below MS_si, so that seeds alone count."""
    found = two_level(*rows([[1, -1], [-1, 1], [1, 1]]), 0.95)
    seeds = np.array([0, 0, 1])
    assert found.df == 2
    assert found.variance == pytest.approx(1e4 * seeds.var(ddof=1) / 3)


@pytest.mark.parametrize("differences", [[[1, 0, 0]], [[1], [0]]])
def test_one_seed_or_one_image_has_no_interval(differences):
    found = two_level(*rows(differences), 0.95)
    assert found.mean == pytest.approx(100 * np.mean(differences))
    assert math.isnan(found.low)
    assert math.isnan(found.df)


def test_equal_networks_differ_by_nothing():
    found = two_level(*rows(np.zeros((3, 5), int)), 0.95)
    assert (found.mean, found.low, found.high) == (0, 0, 0)


def test_rows_are_read_one_by_one():
    """A million images: sums of an image over seeds are kept, not a table of seeds by images."""
    rng = np.random.default_rng(0)
    made = [rng.random(1_000_000) < rate for rate in (0.9, 0.8, 0.9, 0.8)]
    found = two_level(iter(made[::2]), iter(made[1::2]), 0.95)
    assert found.mean == pytest.approx(10, abs=0.2)
    assert found == two_level(np.array(made[::2]), np.array(made[1::2]), 0.95)


def test_arms_of_unequal_seeds_are_refused():
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        two_level(np.zeros((2, 3), bool), np.zeros((1, 3), bool), 0.95)
