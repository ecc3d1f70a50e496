from itertools import product

import numpy as np
import pytest

from stages.statistics.factorial import contrasts, effect, exchange
from stages.statistics.interactions import interaction

PILOT = [60, 72, 54, 68, 52, 83, 45, 80]
"""Yields of the pilot plant (Box, Hunter & Hunter 2005, table 5.1), in standard order: the first of
temperature, concentration and catalyst changes fastest."""
EFFECTS = {
    (0,): 23.0,
    (1,): -5.0,
    (2,): 1.5,
    (0, 1): 1.5,
    (0, 2): 10.0,
    (1, 2): 0.0,
    (0, 1, 2): 0.5,
}


def standard(factors):
    """Return the levels bool[cell, factor] in standard order."""
    return np.array([levels[::-1] for levels in product([False, True], repeat=factors)])


def by_factors(found):
    return {(each.factors, each.exchange): each for each in found}


def test_the_effects_of_the_pilot_plant():
    found = {which: PILOT @ effect(standard(3), which) for which in EFFECTS}
    assert found == pytest.approx(EFFECTS)


def test_an_interaction_is_half_the_difference_of_effects():
    """Temperature gains 33 with catalyst B, 13 with A: 83 + 80 - 52 - 45 and 72 + 68 - 60 - 54."""
    with_b, with_a = (83 + 80 - 52 - 45) / 2, (72 + 68 - 60 - 54) / 2
    assert (with_b - with_a) / 2 == EFFECTS[0, 2]


def test_an_exchange_is_one_factor_in_place_of_the_other():
    """Hot and dilute 72 and 83, cold and concentrated 54 and 45."""
    found = PILOT @ exchange(standard(3), 0, 1)
    assert found == pytest.approx((72 + 83) / 2 - (54 + 45) / 2)
    assert found == pytest.approx(EFFECTS[0,] - EFFECTS[1,])


def test_all_contrasts_in_order_with_the_level_of_each():
    """3 + 3 + 1 effects and 3 exchanges: each at 1 - 0.05/10."""
    scores = np.array(PILOT) + np.array([[0.0], [1.0], [5.0]])
    found = contrasts(scores, standard(3), 0.95)
    effects = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]
    assert [each.factors for each in found if not each.exchange] == effects
    assert [each.factors for each in found[7:]] == [(0, 1), (0, 2), (1, 2)]
    assert [each.confidence for each in found] == pytest.approx([0.995] * 10)


def test_what_replicates_share_cancels():
    scores = np.array(PILOT) + np.array([[0.0], [10.0], [-20.0]])
    for each in contrasts(scores, standard(3), 0.95):
        assert each.difference.sd == pytest.approx(0, abs=1e-9)


def test_the_order_of_cells_does_not_matter():
    order = np.random.default_rng(0).permutation(8)
    scores = np.random.default_rng(1).normal(size=(5, 8))
    ours = contrasts(scores, standard(3), 0.95)
    theirs = contrasts(scores[:, order], standard(3)[order], 0.95)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.by_seed, b.by_seed)


def test_an_interval_by_hand():
    """Differences 1, 2, 3 by seed: 2 +- t(2, 1 - 0.05/8) / sqrt(3), of four contrasts."""
    scores = np.array([[0.0, 1, 0, 1], [0, 2, 0, 2], [0, 3, 0, 3]])
    main = by_factors(contrasts(scores, standard(2), 0.95))[(0,), False]
    half = 8.860 / np.sqrt(3)  # t(2, 0.99375) by its closed form, below
    p = 2 * 0.99375 - 1
    assert np.sqrt(2) * p / np.sqrt(1 - p**2) == pytest.approx(8.860, abs=1e-3)
    assert main.difference.mean == pytest.approx(2)
    assert main.difference.low == pytest.approx(2 - half, abs=1e-3)


def test_two_factors_agree_with_the_interaction_of_the_analysis_of_variance():
    """With two levels each F is the square of t (`statistics.interactions`)."""
    scores = np.random.default_rng(2).normal(size=(7, 4))
    ours = by_factors(contrasts(scores, standard(2), 0.95))[(0, 1), False].difference
    test = interaction(scores.reshape(7, 2, 2))
    assert (ours.mean / ours.sd) ** 2 * 7 == pytest.approx(test.statistic)
    assert ours.p_value == pytest.approx(test.p_value)


def test_one_replicate_has_effects_without_intervals():
    found = contrasts(np.array([PILOT], float), standard(3), 0.95)
    assert [each.difference.mean for each in found[:7]] == list(EFFECTS.values())
    assert not any(each.difference.has_interval for each in found)


@pytest.mark.parametrize("draws", [400, pytest.param(20_000, marks=pytest.mark.slow)])
def test_all_intervals_hold_together_in_95_percent_of_studies(draws):
    """Seeds shift all cells, cells scatter unequally: contrasts are correlated, each in its way."""
    rng, levels = np.random.default_rng(3), standard(3)
    means, sds = np.array(PILOT) / 10, np.linspace(0.3, 1.5, 8)
    truth = [c.difference.mean for c in contrasts(means[None], levels, 0.95)]
    held = single = 0
    for _ in range(draws):
        scores = means + rng.normal(0, 2, (8, 1)) + rng.normal(size=(8, 8)) * sds
        found = [c.difference for c in contrasts(scores, levels, 0.95)]
        inside = [e.low <= true <= e.high for e, true in zip(found, truth, strict=True)]
        held += all(inside)
        single += sum(inside)
    slack = 3 * np.sqrt(0.05 * 0.95 / draws)
    assert 0.95 - slack <= held / draws <= 0.985 + slack
    assert single / draws / 10 == pytest.approx(0.995, abs=3 * np.sqrt(0.005 / draws))
