import math

import numpy as np
import pytest
from scipy import stats

from stages.statistics.decisions import decide, first_decision, outlook
from stages.statistics.estimates import Estimate, estimate
from stages.statistics.looks import look_levels
from stages.statistics.verdicts import Levels

LOOKS = (6, 9, 12, 16)
NOISE = np.array([1, -1, 0.5, -0.5, 0.2, -0.2, 1, -1, 0.5, -0.5, 0.2, -0.2, 1, -1, 0.5, -0.5])


def test_a_large_difference_is_decided_at_the_first_look():
    found = decide({"pair": 3 + NOISE[:6]}, LOOKS, 0.5)["pair"]
    assert (found.verdict, found.at, found.chance) == ("better", 6, 1)
    # its interval has the level of that look: t(5, 1 - .0013714 / 2)
    half = stats.t.ppf(1 - 0.0013714 / 2, 5) * NOISE[:6].std(ddof=1) / 6**0.5
    assert found.difference.high - 3 == pytest.approx(half, rel=1e-4)


def test_the_first_look_that_decides_stands():
    values = np.concatenate([3 + NOISE[:6], -9 + NOISE[6:]])
    assert decide({"pair": values}, LOOKS, 0.5)["pair"].at == 6
    assert decide({"pair": values}, (16,), 0.5)["pair"].verdict != "better"


def test_between_two_looks_the_earlier_one_counts():
    """Eight replicates are judged as six: what would be better at 5 % is open."""
    values = 1.2 * np.ones(8) + NOISE[:8]
    found = decide({"pair": values}, LOOKS, 0.5)["pair"]
    assert estimate(values[:6], 0.95).above_zero
    assert (found.verdict, found.at, found.difference.n) == ("undecided", None, 8)
    assert 0.5 < found.chance < 1


def test_many_pairs_at_once():
    looks = dict(zip(LOOKS, look_levels(LOOKS, Levels()), strict=True))
    values = np.array([[3 + NOISE, 0.1 * NOISE], [0.8 + NOISE, 0.3 + 2 * NOISE]])
    found, at = first_decision(values, looks, 0.5)
    assert found.tolist() == [["better", "same"], ["better", "undecided"]]
    # at 9 replicates the third has a mean of .8556, sd .7749, t = 3.31, p = .0107 above .0085
    assert at.tolist() == [[6, 6], [12, 0]]


def test_every_pair_is_judged_by_itself():
    pairs = {("a", "b"): 3 + NOISE, ("a", "c"): 0.1 * NOISE, ("b", "c"): -3 + NOISE}
    found = decide(pairs, LOOKS, 0.5)
    assert [each.verdict for each in found.values()] == ["better", "same", "worse"]


def test_an_open_pair_at_the_last_look_has_no_chance_and_says_what_it_takes():
    wild = decide({"pair": 0.3 + 2 * NOISE}, LOOKS, 0.1)["pair"]
    assert (wild.verdict, wild.chance, wild.needed) == ("undecided", 0, None)
    close = decide({"pair": 0.33 + NOISE}, LOOKS, 0.1)["pair"]
    assert (close.verdict, close.chance) == ("undecided", 0)
    assert 16 < close.needed <= 48


def test_the_replicates_needed_are_those_of_the_planned_power():
    """Effect 1 and sd 1 at the last look's two-sided .0408: 80 % with 11 (noncentral t)."""
    values = 1 + NOISE[:6] / NOISE[:6].std(ddof=1)
    alpha = look_levels(LOOKS, Levels())[-1].difference

    def power(n):
        return stats.nct.sf(stats.t.ppf(1 - alpha / 2, n - 1), n - 1, n**0.5)

    expected = next(n for n in range(2, 48) if power(n) >= 0.8)
    assert decide({"pair": values}, LOOKS, 0.5)["pair"].needed == expected == 11


def test_before_the_first_look_nothing_is_decided():
    found = decide({"pair": [9.0, 9.1, 9.2]}, LOOKS, 0.5)["pair"]
    assert (found.verdict, found.at) == ("undecided", None)
    assert found.chance == pytest.approx(1, abs=0.01)
    one = decide({"pair": [9.0]}, LOOKS, 0.5)["pair"]
    assert math.isnan(one.chance)


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
