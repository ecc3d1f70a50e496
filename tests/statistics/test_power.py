import numpy as np
import pytest
from scipy import integrate, stats

from stages.statistics.estimates import Estimate, estimate
from stages.statistics.power import (
    difference_power,
    equivalence_power,
    repeat,
    replicates_needed,
)
from stages.statistics.verdicts import Levels, verdict, verdicts


def test_power_as_published():
    """Cohen's medium effect: 0.5645 with 20 pairs (G*Power 3.1), 80 % with 34."""
    assert difference_power(0.5, 1.0, 20) == pytest.approx(0.564504, abs=1e-5)
    assert replicates_needed(lambda n: difference_power(0.5, 1.0, n), 0.8, 48) == 34
    assert replicates_needed(lambda n: difference_power(0.5, 1.0, n), 0.8, 33) is None


@pytest.mark.parametrize("n", [2, 3, 5, 12, 40])
@pytest.mark.parametrize("effect", [0.0, 0.3, 0.9, 2.0])
@pytest.mark.parametrize("alpha", [0.05, 0.0014])
def test_power_is_the_tails_of_the_noncentral_t(n, effect, alpha):
    sd = 1.3
    critical, shift = stats.t.ppf(1 - alpha / 2, n - 1), effect / sd * n**0.5
    tails = stats.nct.sf(critical, n - 1, shift) + stats.nct.cdf(-critical, n - 1, shift)
    assert difference_power(effect, sd, n, alpha) == pytest.approx(tails, abs=2e-5)


@pytest.mark.parametrize("n", [2, 4, 12, 60])
@pytest.mark.parametrize("effect", [0.0, 0.2, 0.5])
def test_power_of_equivalence_is_that_of_the_bivariate_distribution(n, effect):
    sd, margin = 0.7, 0.5
    error, critical = sd / n**0.5, stats.t.ppf(0.95, n - 1)
    chi = stats.chi(n - 1)

    def inside(root):
        room = margin - critical * error * root / (n - 1) ** 0.5
        ends = stats.norm.cdf([(-room - effect) / error, (room - effect) / error])
        return (ends[1] - ends[0]) * chi.pdf(root)

    last = margin / critical / error * (n - 1) ** 0.5
    expected = integrate.quad(inside, 0, last, epsabs=1e-9, limit=200)[0]
    assert equivalence_power(effect, sd, n, margin) == pytest.approx(expected, abs=1e-4)


def test_equivalence_of_noisy_pairs_takes_more_than_48_replicates():
    assert replicates_needed(lambda n: equivalence_power(0.0, 1.2, n, 0.5), 0.8, 48) is None
    # about (sd / margin)^2 * (z(.95) + z(.9))^2 = 49.3, and a little for the estimated sd
    assert replicates_needed(lambda n: equivalence_power(0.0, 1.2, n, 0.5), 0.8, 60) == 51


def test_at_the_margin_equivalence_is_found_with_its_level():
    assert equivalence_power(0.5, 0.2, 30, 0.5) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(("effect", "different", "same"), [(0.0, 0, 1), (0.4, 1, 1), (0.6, 1, 0)])
def test_without_spread_power_is_all_or_nothing(effect, different, same):
    assert difference_power(effect, 0.0, 3) == different
    assert equivalence_power(effect, 0.0, 3, 0.5) == same


def test_one_replicate_has_no_power():
    assert difference_power(9.0, 1.0, 1) == equivalence_power(0.0, 0.1, 1, 0.5) == 0


def test_power_grows_with_replicates_and_effect():
    by_n = [difference_power(0.8, 1.0, n) for n in range(2, 30)]
    by_effect = [difference_power(effect, 1.0, 8) for effect in np.linspace(0, 3, 20)]
    assert by_n == sorted(by_n)
    assert by_effect == sorted(by_effect)


@pytest.mark.parametrize(
    ("mean", "sd", "n", "margin"),
    [
        (0.63, 0.94, 12, 0.5),  # better, by little
        (0.45, 0.25, 12, 0.5),  # better, though nearly the same
        (0.05, 0.6, 12, 0.5),  # the same
        (-1.0, 1.9, 12, 0.5),  # undecided
        (-3.0, 1.2, 4, 0.5),  # worse
    ],
)
def test_a_repeat_finds_the_same_as_often_as_in_simulation(mean, sd, n, margin):
    levels = Levels()
    value = Estimate(mean, sd, n, 0, 0)
    drawn = np.random.default_rng(0).normal(mean, sd, (100_000, n))
    found = verdicts(drawn.mean(1), drawn.std(1, ddof=1), n, margin, levels)
    said = verdict(value, margin, levels)
    expected = float((found == said).mean())
    assert 0.1 < expected < 0.999
    assert repeat(value, margin, levels)[said] == pytest.approx(expected, abs=0.006)


@pytest.mark.parametrize("mean", [0.63, -0.63])
def test_without_a_margin_a_repeat_has_the_power_of_one_tail(mean):
    value = Estimate(mean, 0.94, 12, 0, 0)
    power = difference_power(0.63, 0.94, 12)
    found = repeat(value, 0, Levels())["better" if mean > 0 else "worse"]
    assert found == pytest.approx(power, abs=0.003)


def test_what_just_reaches_its_level_comes_again_in_half_of_all_repeats():
    """Goodman (1992): p = 0.05 is repeated with 0.50; p = 0.001 with 0.91, for large n."""
    for p, chance in ((0.05, 0.5), (0.01, 0.73), (0.001, 0.91)):
        mean = stats.norm.isf(p / 2) / 2000**0.5 * 1.0001
        found = repeat(Estimate(mean, 1.0, 2000, 0, 0), 0, Levels())
        assert found["better"] == pytest.approx(chance, abs=0.01)


def test_one_replicate_repeats_nothing_known():
    assert np.isnan(repeat(estimate([1.0], 0.95), 0.5, Levels())["same"])
