"""How often the rules are wrong, by simulation: each rate within what chance allows for.

Every test takes a moment by default, and with many more draws as a slow test.
"""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from stages.statistics.contests import contest
from stages.statistics.decisions import chance_to_decide, next_look
from stages.statistics.estimates import estimate
from stages.statistics.images import two_level
from stages.statistics.interactions import interaction
from stages.statistics.looks import levels_at, look_levels
from stages.statistics.power import difference_power, equivalence_power
from stages.statistics.verdicts import Levels, verdict, verdicts

LOOKS, MARGIN = (6, 9, 12, 16), 0.5
STRICT = dict(zip(LOOKS, look_levels(LOOKS, Levels()), strict=True))
WRONG = 0.055
"""The most that a false claim of 5 % may come to."""


def sizes(few, many):
    """Run a test with few draws by default, and with many as a slow test."""
    return pytest.mark.parametrize(
        "draws", [few, pytest.param(many, marks=pytest.mark.slow)], ids=["quick", "long"]
    )


def slack(rate, draws):
    """Three standard errors of a simulated rate."""
    return 3 * math.sqrt(rate * (1 - rate) / draws)


def ever(values, looks):
    """Return the first verdict that is none of "undecided" at any look, for every row."""
    found = np.full(values.shape[:-1], "undecided")
    for n, levels in looks.items():
        now = verdicts(*summary(values[..., :n]), n, MARGIN, levels)
        found = np.where(found == "undecided", now, found)
    return found


def grown(pairs, margin=MARGIN):
    """Grow a study of these pairs [pair, replicate] as `--until-decided` does.

    Return the verdicts at its end and its replicates.
    """
    n = LOOKS[0]
    while True:
        levels = levels_at(n, LOOKS, Levels())
        values = [estimate(row[:n], 1 - levels.difference) for row in pairs]
        found = [verdict(value, margin, levels) for value in values]
        still = [v for v, each in zip(values, found, strict=True) if each == "undecided"]
        chances = (chance_to_decide(v, LOOKS[-1], margin, STRICT[LOOKS[-1]]) for v in still)
        then = next_look(LOOKS, n, chances)
        if then is None:
            return found, n
        n = then


def rate_of(found):
    return float(np.mean(list(found)))


def summary(values):
    """Return means and sample standard deviations along the last axis."""
    return values.mean(-1), values.std(-1, ddof=1)


@sizes(3000, 50_000)
@pytest.mark.parametrize("n", [3, 8, 16])
@pytest.mark.parametrize("images", [None, 360])
def test_coverage_of_the_seed_interval(draws, n, images, record_property):
    """Of 95 %: 94 to 96 %, for normal differences and for accuracies counted in images."""
    rng = np.random.default_rng(1)
    values = rng.normal(1.0, 1.2, (draws, n))
    if images:
        values = np.round(values * images / 100) * 100 / images
    bounds = np.array([(e.low, e.high) for e in (estimate(row, 0.95) for row in values)])
    coverage = rate_of((bounds[:, 0] <= 1.0) & (bounds[:, 1] >= 1.0))
    record_property("rate", coverage)
    assert 0.94 - slack(0.95, draws) <= coverage <= 0.96 + slack(0.95, draws)


def networks(rng, draws, seeds, images, own, run):
    """Draw bool[draw, arm, seed, image] from a logistic model with random effects.

    Images are hard for both arms, and to a degree `own` for one alone; a seed shifts all of an
    arm's images by `run`. Return them with the true difference of the two accuracies in points.
    """
    shared, middle = 2.0, np.array([2.5, 2.0])[:, None, None]
    hard = shared * rng.normal(size=(draws, 1, 1, images))
    alone = own * rng.normal(size=(draws, 2, 1, images))
    shift = run * rng.normal(size=(draws, 2, seeds, 1))
    correct = rng.random((draws, 2, seeds, images)) < expit(middle + hard + alone + shift)
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    scale = math.sqrt(shared**2 + own**2 + run**2)
    truth = expit(middle[:, 0] + scale * nodes) @ weights / weights.sum()
    return correct, 100 * float(truth[0] - truth[1])


GRID = list(product([4, 8, 16], [100, 400], [0.0, 1.0], [0.0, 0.3, 0.6]))


@sizes(300, 6000)
def test_coverage_of_the_two_level_interval(draws, record_property):
    """Of 95 %: 93 to 98 % in every setting, over seeds, images and both variances."""
    rng, found = np.random.default_rng(2), {}
    for seeds, images, own, run in GRID if draws > 2000 else GRID[::5]:
        hits = 0
        for _ in range(draws // 100):
            correct, truth = networks(rng, 100, seeds, images, own, run)
            for first, second in correct:
                value = two_level(first, second, 0.95)
                hits += value.low <= truth <= value.high
        found[seeds, images, own, run] = hits / (draws // 100 * 100)
    record_property("rates", found)
    assert min(found.values()) >= 0.93 - slack(0.93, draws)
    assert max(found.values()) <= 0.98 + slack(0.98, draws)


ARMS = {
    "two tied": ([0, 0], [1, 1]),
    "two tied, others behind": ([0, 0, -1, -2], [1, 1, 1, 1]),
    "unequal scatter": ([0, 0, -1, -4], [0.3, 2, 1, 3]),
    "all tied": ([0, 0, 0, 0], [1, 1, 1, 1]),
    "all tied, unequal scatter": ([0, 0, 0, 0, 0], [0.2, 1, 1, 2, 4]),
}


@sizes(250, 10_000)
@pytest.mark.parametrize("n", [4, 12])
@pytest.mark.parametrize(("means", "sds"), ARMS.values(), ids=ARMS)
def test_tied_arms_win_rarely_and_the_best_are_in_the_best_set(
    draws, n, means, sds, record_property
):
    rng, names = np.random.default_rng(3), [f"arm{i}" for i in range(len(means))]
    won = kept = 0
    for _ in range(draws):
        scores = pd.DataFrame(rng.normal(means, sds, (n, len(means))), columns=names)
        found = contest(scores, 0.95)
        won += found.winner is not None
        kept += "arm0" in found.best_set
    record_property("false winners", won / draws)
    record_property("best in the set", kept / draws)
    assert won / draws <= WRONG + slack(0.05, draws)
    assert kept / draws >= 0.95 - slack(0.95, draws)


@sizes(20_000, 400_000)
@pytest.mark.parametrize(
    ("effect", "sd", "wrong"),
    [
        (0.0, 1.2, ["better", "worse"]),
        (0.0, 0.6, ["better", "worse"]),
        (MARGIN, 0.6, ["same"]),
        (MARGIN, 0.3, ["same"]),
    ],
)
def test_looks_are_wrong_as_often_as_one(draws, effect, sd, wrong, record_property):
    rng = np.random.default_rng(4)
    values = rng.normal(effect, sd, (draws, LOOKS[-1]))
    rate = rate_of(np.isin(ever(values, STRICT), wrong))
    record_property("rate", rate)
    assert rate <= WRONG + slack(0.05, draws)


@sizes(150, 3000)
@pytest.mark.parametrize(
    ("effects", "wrong"),
    [((0.0, 0.0), ["better", "worse"]), ((0.0, 3.0), ["better", "worse"]), ((0.5, 0.5), ["same"])],
)
def test_a_study_that_grows_is_wrong_as_often_as_one_that_does_not(
    draws, effects, wrong, record_property
):
    """Of each pair at the end of the study, wherever that is; the pairs grow together."""
    rng, sd = np.random.default_rng(12), 0.6 if "same" in wrong else 1.2
    ends = [
        grown(rng.normal(np.array(effects)[:, None], sd, (2, LOOKS[-1])))[0][0]
        for _ in range(draws)
    ]
    rate = rate_of(np.isin(ends, wrong))
    record_property("rate", rate)
    assert rate <= WRONG + slack(0.05, draws)


@sizes(100, 2000)
def test_a_study_grows_no_further_than_it_pays(draws, record_property):
    """A large effect ends it at the first look, noise of which nothing can come before the last."""
    rng = np.random.default_rng(13)
    sizes_of = {
        name: [grown(rng.normal(effect, sd, (1, LOOKS[-1])))[1] for _ in range(draws)]
        for name, effect, sd in (("large", 4.0, 1.0), ("middle", 1.2, 1.2), ("none", 0.0, 3.0))
    }
    means = {name: float(np.mean(each)) for name, each in sizes_of.items()}
    record_property("replicates", means)
    assert means["large"] < 7
    assert means["none"] < 10
    assert means["large"] < means["none"] < means["middle"] < 14


@sizes(20_000, 400_000)
def test_naive_looks_would_be_wrong_twice_as_often(draws, record_property):
    values = np.random.default_rng(5).normal(0, 1.2, (draws, LOOKS[-1]))
    naive = dict.fromkeys(LOOKS, Levels())
    rate = rate_of(np.isin(ever(values, naive), ["better", "worse"]))
    record_property("rate", rate)
    assert rate > 0.10


@sizes(20_000, 400_000)
@pytest.mark.parametrize(("effect", "sd"), [(1.2, 1.2), (1.0, 0.9), (0.0, 0.4)])
def test_looks_cost_little_power(draws, effect, sd, record_property):
    """Within 3 points of the forecast at the last look's own levels."""
    last, right = STRICT[16], "better" if effect else "same"
    values = np.random.default_rng(6).normal(effect, sd, (draws, LOOKS[-1]))
    rate = rate_of(ever(values, STRICT) == right)
    forecast = (
        difference_power(effect, sd, 16, last.difference)
        if effect
        else equivalence_power(effect, sd, 16, MARGIN, last.equivalence)
    )
    record_property("rate and forecast", (rate, forecast))
    assert rate == pytest.approx(forecast, abs=0.03 + slack(forecast, draws))


@sizes(10_000, 200_000)
@pytest.mark.parametrize(("n", "effect"), list(product([3, 6, 12], [0.6, 1.2, 2.4])))
def test_power_is_as_forecast(draws, n, effect, record_property):
    values = np.random.default_rng(7).normal(effect, 1.2, (draws, n))
    rate = rate_of(verdicts(*summary(values), n, 0.0, Levels()) == "better")
    forecast = difference_power(effect, 1.2, n)
    record_property("rate and forecast", (rate, forecast))
    assert rate == pytest.approx(forecast, abs=0.03)


@sizes(10_000, 200_000)
@pytest.mark.parametrize(("n", "effect"), list(product([6, 16, 48], [0.0, 0.25, 0.5])))
def test_power_of_equivalence_is_as_forecast(draws, n, effect, record_property):
    values = np.random.default_rng(8).normal(effect, 0.7, (draws, n))
    rate = rate_of(verdicts(*summary(values), n, MARGIN, Levels()) == "same")
    forecast = equivalence_power(effect, 0.7, n, MARGIN)
    record_property("rate and forecast", (rate, forecast))
    assert rate == pytest.approx(forecast, abs=0.03)


@sizes(20_000, 400_000)
@pytest.mark.parametrize("n", [2, 3, 4, 8])
@pytest.mark.parametrize("sd", [0.5, 1.2])
def test_accuracies_in_steps_of_an_image_decide_no_more_than_their_level(
    draws, n, sd, record_property
):
    """Of 360 images: two differences often coincide, which is no certainty."""
    step = 100 / 360
    values = step * np.round(np.random.default_rng(9).normal(0, sd, (draws, n)) / step)
    mean, deviation = summary(values)
    rate = rate_of(np.isin(verdicts(mean, deviation, n, 0.0, Levels()), ["better", "worse"]))
    record_property("rate", rate)
    assert rate <= WRONG + slack(0.05, draws)


@sizes(800, 40_000)
@pytest.mark.parametrize("n", [4, 12])
@pytest.mark.parametrize("sds", [[[1, 1, 1], [1, 1, 1]], [[0.2, 1, 3], [0.5, 2, 1]]])
def test_no_interaction_is_found_where_effects_add_up(draws, n, sds, record_property):
    """With unequal variances too; effects of seed, schedule and method are all there."""
    rng = np.random.default_rng(10)
    effects = np.array([[0.0], [3.0]]) + np.array([0.0, 1.0, -1.0])
    seed = 2 * rng.normal(size=(draws, n, 1, 1))
    scores = effects + seed + np.array(sds) * rng.normal(size=(draws, n, 2, 3))
    rate = rate_of(interaction(each).p_value < 0.05 for each in scores)
    record_property("rate", rate)
    assert rate <= WRONG + slack(0.05, draws)


@sizes(1000, 10_000)
def test_one_rule_for_one_pair_and_for_many(draws):
    """The verdict on a pair is that of the arrays, which the simulations above judge by."""
    values = np.random.default_rng(11).normal(0.4, 0.5, (draws, 8))
    each = [verdict(estimate(row, 0.95), MARGIN, Levels()) for row in values]
    assert each == verdicts(*summary(values), 8, MARGIN, Levels()).tolist()
    assert len(set(each)) > 2
