import math

import numpy as np
import pytest
from scipy import stats

from stages.statistics.decisions import chance_to_decide, decisive, next_look, outlook
from stages.statistics.estimates import Estimate, estimate
from stages.statistics.looks import look_levels
from stages.statistics.verdicts import Levels

LOOKS = (6, 9, 12, 16)
LAST = look_levels(LOOKS, Levels())[-1]
NOISE = np.array([1, -1, 0.5, -0.5, 0.2, -0.2, 1, -1, 0.5, -0.5, 0.2, -0.2, 1, -1, 0.5, -0.5])


@pytest.mark.parametrize(
    ("replicates", "chances", "expected"),
    [
        (6, [], None),  # nothing is open
        (6, [0.9], 9),
        (8, [0.9], 9),
        (9, [0.1, 0.2], 12),  # one open pair that is worth it is enough
        (9, [0.1, 0.19], None),
        (16, [0.9], None),
        (3, [math.nan], 6),  # one replicate tells nothing
    ],
)
def test_the_next_look(replicates, chances, expected):
    assert next_look(LOOKS, replicates, chances) == expected


def test_the_chance_is_of_any_verdict():
    seen = estimate(0.8 + NOISE[:6], 0.95)
    found = outlook(seen, 16, 0.5, LAST)
    chance = chance_to_decide(seen, 16, 0.5, LAST)
    assert chance == pytest.approx(found["better"] + found["same"] + found["worse"])
    assert 0.5 < chance < 1
    assert chance_to_decide(estimate(3 + NOISE, 0.95), 16, 0.5, LAST) == 1
    assert chance_to_decide(estimate(0.3 + 2 * NOISE, 0.95), 16, 0.1, LAST) == 0
    assert math.isnan(chance_to_decide(estimate([9.0], 0.95), 16, 0.5, LAST))


def test_the_replicates_needed_are_those_of_the_planned_power():
    """Effect 1 and sd 1 at the last look's two-sided .0408: 80 % with 11 (noncentral t)."""

    def power(n):
        return stats.nct.sf(stats.t.ppf(1 - LAST.difference / 2, n - 1), n - 1, n**0.5)

    expected = next(n for n in range(2, 48) if power(n) >= 0.8)
    assert decisive(Estimate(1.0, 1.0, 6, 0, 2), 0.5, LAST) == expected == 11


def test_the_replicates_needed_are_those_of_the_t_test():
    """D = 0.5 takes 34 pairs at 80 % (G*Power); d = 0.1 takes more than 48; one tells nothing."""
    found = [
        decisive(Estimate(mean, 1.0, n, -1, 1), 0.0, Levels())
        for mean, n in ((0.5, 6), (0.1, 6), (0.5, 1))
    ]
    assert found == [34, None, None]


def test_an_open_pair_takes_more_replicates_than_it_has():
    """The power of 12 suffices for d = 0.9; of 20 that leave it open, another is asked for."""
    found = [decisive(Estimate(0.9, 1.0, n, -0.1, 1.9), 0.0, Levels()) for n in (6, 12, 20, 48)]
    assert found == [12, 13, 21, None]


def test_equivalence_of_pairs_that_scatter_is_not_worth_asking_for():
    """With sd 1.2 and no difference a margin of 0.5 takes about 51 replicates at 80 %."""
    none = Estimate(0.0, 1.2, 12, -0.8, 0.8)
    assert decisive(none, 0.5, Levels()) is None
    assert decisive(none, 0.5, Levels(), most=60) == 51


def test_the_outlook_is_the_predictive_distribution():
    """Drawn from the posterior: sigma^2 = SS / chi^2, mu ~ N(mean, sigma^2 / n)."""
    rng, draws, seen = np.random.default_rng(5), 100_000, estimate(0.8 + NOISE[:6], 0.95)
    sigma = seen.sd * np.sqrt(5 / rng.chisquare(5, draws))
    new = rng.normal(rng.normal(seen.mean, sigma / 6**0.5), sigma, (10, draws))
    total = (6 * seen.mean + new.sum(0)) / 16
    squares = 5 * seen.sd**2 + 6 * seen.mean**2 + (new**2).sum(0) - 16 * total**2
    t = total / np.sqrt(squares / 15 / 16)
    found = outlook(seen, 16, 0.0, Levels())
    assert found["better"] == pytest.approx((t > stats.t.ppf(0.975, 15)).mean(), abs=0.01)
    assert sum(found.values()) == pytest.approx(1)
    assert found["same"] == 0


def test_one_more_replicate_is_drawn_too():
    seen = estimate(0.8 + NOISE[:8], 0.95)
    found = outlook(seen, 9, 0.0, Levels())
    # the predictive of one value: Student's t of n - 1 degrees, sd * sqrt(1 + 1 / n) wide
    values = seen.mean + seen.sd * math.sqrt(9 / 8) * stats.t.ppf((np.arange(5000) + 0.5) / 5000, 7)
    mean = (8 * seen.mean + values) / 9
    squares = 7 * seen.sd**2 + 8 / 9 * (values - seen.mean) ** 2
    above = mean / np.sqrt(squares / 8 / 9) > stats.t.ppf(0.975, 8)
    assert found["better"] == pytest.approx(above.mean(), abs=0.01)


def test_a_pair_without_spread_is_as_sure_as_it_looks():
    found = outlook(Estimate(1.0, 0.0, 3, 1.0, 1.0), 8, 0.5, Levels())
    assert found["better"] == 1
