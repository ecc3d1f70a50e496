import numpy as np
import pytest

from stages.statistics.studies import (
    aggregate,
    bootstrap_interval,
    improvement,
    interquartile_mean,
    mean_of_studies,
)

FIRST = np.array(
    [[0.3, 0.4, 0.0], [0.8, -0.5, 0.5], [0.3, 0.6, -0.7], [-1.3, 0.4, -0.2], [0.9, 0.3, -0.5]]
).T
SECOND = np.array(
    [[1.1, 0.5, -1.4], [0.5, 0.2, 0.3], [0.2, 1.8, 0.1], [-0.3, 1.5, 0.7], [0.2, -2.2, 0.7]]
).T


def test_the_interquartile_mean_is_that_of_the_middle_half_of_all_runs():
    # sorted -9, 1, 2, 3, 4, 5, 6, 90: a quarter of eight is two
    assert interquartile_mean(np.array([4, 90, 1, 3.0, -9, 6, 2, 5.0])) == 3.5


def test_studies_count_the_same_however_many_runs_they_have():
    """Middle halves 3 and 3.5, and 19: the mean is 11.125, that of all seven in one 8.3."""
    near, far = np.array([3.0, 4, 1, 3.5]), np.array([19.0, 12, 26])
    assert mean_of_studies([near, far]) == (3.25 + 19) / 2
    found = aggregate([near, far], [np.zeros(4), np.zeros(3)], 0.95, 0.5)
    assert (found.difference, found.by_study) == (11.125, [3.25, 19])


def test_the_probability_of_improvement_counts_pairs():
    # study 1: of four pairs 2 > 1, 4 > 1, 4 > 3 and 2 < 3: 3 / 4; study 2: a tie and a win of two
    first, second = [np.array([2.0, 4]), np.array([5.0, 6])], [np.array([1.0, 3]), np.array([5.0])]
    assert improvement(first, second) == pytest.approx((3 / 4 + 3 / 4) / 2)


def test_as_the_library_of_the_paper_has_them():
    """By aggregate_iqm and probability_of_improvement of rliable 1.2, on these numbers."""
    assert interquartile_mean(FIRST) == pytest.approx(1 / 6)
    assert improvement(SECOND, FIRST) == pytest.approx(0.5866667)


def test_a_seed_draws_the_same_interval():
    first, other = (
        bootstrap_interval(improvement, SECOND, FIRST, confidence=0.95, seed=seed, draws=200)
        for seed in (0, 1)
    )
    assert first == bootstrap_interval(
        improvement, SECOND, FIRST, confidence=0.95, seed=0, draws=200
    )
    assert first != other
    assert first[0] < improvement(SECOND, FIRST) < first[1]


def test_runs_are_drawn_within_their_study():
    """Studies of one value each leave nothing to chance, however far apart they are."""
    far = [np.array([0.0, 0, 0]), np.array([100.0, 100])]
    assert bootstrap_interval(mean_of_studies, far, confidence=0.95, seed=0, draws=50) == (
        mean_of_studies(far),
        mean_of_studies(far),
    )


def test_the_interval_has_the_width_of_a_bootstrap_of_a_mean():
    """Runs 0 or 1 of one study: the mean of 100 has the sd sqrt(.25 / 100)."""
    runs = [np.tile([0.0, 1.0], 50)]
    low, high = bootstrap_interval(
        lambda arm: float(arm[0].mean()), runs, confidence=0.95, seed=0, draws=4000
    )
    assert (low, high) == pytest.approx((0.5 - 0.098, 0.5 + 0.098), abs=0.011)


def test_a_pair_is_decided_where_both_intervals_say_so():
    rng = np.random.default_rng(3)
    base = [rng.normal(90, 0.3, 8), rng.normal(70, 0.3, 6)]
    far, near = ([runs + gap for runs in base] for gap in (2.0, 0.01))
    assert aggregate(far, base, 0.95, 0.5).verdict == "better"
    assert aggregate(base, far, 0.95, 0.5).verdict == "worse"
    assert aggregate(near, base, 0.95, 0.5).verdict == "same"
    assert aggregate(near, base, 0.95, 0.0).verdict == "undecided"  # ahead, but in half of pairs
    single = [[runs[:1] for runs in (*arm, *arm, *arm)] for arm in (far, base)]
    few = [[runs[:part] for runs, part in zip(arm, (8, 3), strict=True)] for arm in (far, base)]
    one = [[runs[:5] for runs in arm[:1]] for arm in (far, base)]
    enough = [[runs[:4] for runs in arm] for arm in (far, base)]
    assert aggregate(*single, 0.95, 0.5).verdict == "undecided"
    assert aggregate(*few, 0.95, 0.5).verdict == "undecided"
    assert aggregate(*one, 0.95, 0.5).verdict == "undecided"
    assert aggregate(*enough, 0.95, 0.5).verdict == "better"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("studies", "runs", "shared"), [(1, 6, 0.0), (2, 4, 0.0), (2, 8, 0.0), (2, 8, 0.6)]
)
def test_equal_arms_differ_in_about_five_percent_of_cases(studies, runs, shared):
    rng = np.random.default_rng(1)

    def drawn():
        base = rng.normal(0, shared**0.5, (studies, runs))
        rest = (1 - shared) ** 0.5
        return [base + rng.normal(0, rest, base.shape) for _ in range(2)]

    found = [aggregate(*drawn(), 0.95, 0.0, draws=400).verdict for _ in range(600)]
    assert np.mean([each != "undecided" for each in found]) < 0.09
