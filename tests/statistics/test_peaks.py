import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from stages.statistics import peaks
from stages.statistics.peaks import LEAST, Cell, Slope, best_peak, limits, peak_law, vertex

PEAKS = 2.0 ** np.arange(-3, 3)
X = np.log2(PEAKS)


@pytest.fixture(autouse=True)
def draws(monkeypatch):
    """Draw a quarter of what a report draws, which is quicker and hardly rougher."""
    monkeypatch.setattr(peaks, "DRAWS", 1000)


def cell(*means, n=LEAST, spread=0.0, peaks=None, kept=0.5, budget=0.4, cap=math.inf):
    """A cell of these means; odd replicates are `spread` above, even ones below."""
    shift = spread * np.resize([1, -1], n)
    peaks = PEAKS[: len(means)] if peaks is None else np.array(peaks, float)
    return Cell(peaks, np.array(means)[:, None] + shift, kept, budget, cap)


@pytest.mark.parametrize(
    ("x", "means", "at"),
    [
        # 1 + (90 - 91)/(2 (90 - 184 + 91))
        ([0, 1, 2], [90, 92, 91], 1 + 1 / 6),
        # slopes 2 at 0.5 and -0.5 at 2: through 0 at 0.5 + 1.5 * 2/2.5
        ([0, 1, 3], [90, 92, 91], 1.7),
        ([0, 1, 2], [90, 92, 90], 1),
        # the far collapse takes no part
        ([0, 1, 2, 3], [90, 92, 91, 10], 1 + 1 / 6),
        ([0, 1, 2], [90, 91, 92], 2),
        ([0, 1, 2], [92, 91, 90], 0),
        ([0, 1, 2, 3, 4], [90, 92, 92, 92, 91], 2),
        ([0, 1, 2, 3], [90, 92, 92, 90], 1.5),
        ([0, 1, 2], [90, 90, 90], 1),
    ],
)
def test_the_vertex_by_hand(x, means, at):
    assert float(vertex(np.array(x, float), means)) == pytest.approx(at, abs=1e-12)


def test_a_parabola_has_its_vertex_wherever_it_lies():
    at = np.linspace(-1.9, 1.4, 23)
    assert vertex(X, -((X - at[:, None]) ** 2)) == pytest.approx(at)


def test_replicates_that_agree_have_a_band_without_width():
    """All gain or lose alike: pairs by replicate leave no spread in the best."""
    found = best_peak(cell(90, 92, 91, spread=5.0), 0.95)
    assert found.value == pytest.approx(2 ** (-2 + 1 / 6))
    assert (found.low, found.high) == pytest.approx((found.value, found.value))
    ends = (found.at_smallest, found.at_largest, found.low_open, found.high_open)
    assert (*ends, found.high_capped) == (False,) * 5


def test_the_band_is_the_expanded_percentile():
    """Of two peaks a third apart one replicate in eight prefers the other."""
    scores = np.array([[90.0] * 8, [92.0] * 8, [91.0] * 7 + [95.0]])
    found = best_peak(Cell(PEAKS[:3], scores, 0.5, 0.4), 0.95)
    # k draws of that replicate: means 90, 92, 91 + k/2; with k > 2 the largest is best
    side = norm.cdf(-math.sqrt(8 / 7) * student.ppf(0.975, 7))
    assert side == pytest.approx(0.00573, abs=1e-5)
    # binomial(8, 1/8): P(k > 2) = 0.0690 and P(k = 0) = 0.344, both more than that
    assert found.high == PEAKS[2]
    assert found.low == pytest.approx(2 ** (-2 + 1 / 6))
    assert found.high_open
    assert not found.at_largest


@pytest.mark.parametrize(
    ("means", "ends"),
    [((90, 91, 92), ("at_largest", "high_open")), ((92, 91, 90), ("at_smallest", "low_open"))],
)
def test_the_best_may_lie_beyond_an_end(means, ends):
    found = best_peak(cell(*means), 0.95)
    assert all(getattr(found, end) for end in ends)


@pytest.mark.parametrize(
    ("means", "cap", "low", "high"),
    [
        ((90, 92, 91), math.inf, -2 + 1 / 6, -2 + 1 / 6),
        ((90, 91, 92), math.inf, -1.5, math.inf),
        ((90, 91, 92), 1.0, -1.5, 0),
        ((90, 92, 91), 1.0, -2 + 1 / 6, -2 + 1 / 6),
        ((92, 91, 90), 1.0, -math.inf, -2.5),
    ],
)
def test_where_the_best_may_lie(means, cap, low, high):
    """Peaks at -3, -2 and -1 octaves: at an end, from the middle of the last two on."""
    assert limits(cell(*means, cap=cap), means) == pytest.approx((low, high))


def test_a_larger_peak_that_diverged_bounds_the_best():
    """It may lie anywhere below, from the middle of the last two that trained on."""
    found = best_peak(cell(90, 91, 92, cap=1.0), 0.95)
    assert found.value == PEAKS[2]
    assert (found.at_largest, found.high_open, found.high_capped) == (True, False, True)
    assert (found.low, found.high) == pytest.approx((2**-1.5, 1.0))


def test_few_replicates_have_no_band():
    found = best_peak(cell(90, 92, 91, n=LEAST - 1), 0.95)
    assert found.value > 0
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert (found.low_open, found.high_open) == (False, False)


def ruled(constant, kept, budget, n=8, sd=0.0, seed=0, height=0.5, collapse=0.0):
    """Cells whose accuracy falls off as a parabola from the best peak of a law.

    An octave above it, it collapses besides, so that the curve is lopsided.
    """
    chance = np.random.default_rng(seed)
    cells = []
    for k, t in itertools.product((0.5, 0.25, 0.1), (0.2, 0.4)):
        past = X - constant - kept * np.log2(k) - budget * np.log2(t)
        means = 95 - height * past**2 - collapse * np.maximum(past - 1, 0) ** 2
        scores = means[:, None] + sd * chance.standard_normal((len(X), n))
        cells.append(Cell(PEAKS, scores, k, t))
    return cells


def test_a_law_without_noise_is_found():
    law = peak_law(ruled(-0.5, 0.3, -0.4), 0.95)
    assert law.constant == pytest.approx(-0.5)
    assert (law.kept.mean, law.kept.low, law.kept.high) == pytest.approx((0.3, 0.3, 0.3))
    assert (law.budget.mean, law.budget.reach) == pytest.approx((-0.4, 1))
    assert law.kept.reach == pytest.approx(math.log2(5))
    assert (law.kept.direction, law.budget.direction) == ("rises", "same")


@pytest.mark.parametrize(
    ("low", "high", "direction"),
    [
        (0.1, 0.9, "rises"),
        (-0.9, -0.1, "falls"),
        (-0.2, 0.24, "same"),
        (0.1, 0.24, "same"),
        (-0.2, 0.26, "open"),
        (0.1, math.inf, "rises"),
        (-math.inf, -0.1, "falls"),
        (-0.2, math.inf, "open"),
        (-math.inf, math.inf, "open"),
        (math.nan, math.nan, "open"),
    ],
)
def test_directions(low, high, direction):
    assert Slope(0.0, low, high, reach=2).direction == direction


def test_sizes_and_budgets_that_change_together_give_no_law():
    cells = ruled(-0.5, 0.3, 0)
    assert peak_law([cells[0], cells[3]], 0.95) is None
    assert peak_law(cells[:1], 0.95) is None
    one_budget = peak_law(cells[::2], 0.95)
    assert one_budget.budget is None
    assert one_budget.kept.mean == pytest.approx(0.3)


def test_a_cell_at_an_end_leaves_the_same_open():
    law = peak_law(ruled(5, 0, 0), 0.95)
    assert law.kept.mean == pytest.approx(0)
    assert (law.kept.low, law.kept.high) == (-math.inf, math.inf)
    assert law.kept.direction == "open"


def test_an_end_may_bear_out_a_direction():
    """Bests at 3 octaves, tried up to 2, and at 0: between 1.5 and any more octaves apart."""
    law = peak_law([along(3, PEAKS, 0.5), along(0, PEAKS, 0.25)], 0.95)
    assert (law.kept.low, law.kept.high) == pytest.approx((1.5, math.inf))
    assert law.kept.direction == "rises"


def along(best, peaks, kept, budget=0.4, sd=0.0, height=1.0, cap=math.inf, chance=None):
    """A cell of accuracies that fall off as a parabola from its best peak, in octaves."""
    means = 95 - height * (np.log2(peaks) - best) ** 2
    noise = sd * chance.standard_normal((len(means), 8)) if chance else np.zeros((1, 8))
    return Cell(np.array(peaks, float), means[:, None] + noise, kept, budget, cap)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        ((0.125, 0.25, 0.5), (1, 2, 4)),
        ((1, 2, 4), (0.125, 0.25, 0.5)),
        ((0.05, 0.1, 0.2), (2, 4, 8)),
        # the best, 1, is the end of one alone: 0 octaves there, -0.3 or so in the other
        ((0.25, 0.5, 0.9), (0.1, 0.4, 1.6)),
        ((0.0625, 0.3, 1.2), (0.25, 0.5, 1, 2)),
    ],
)
def test_no_direction_is_the_work_of_what_was_tried(small, large):
    """The best peak is 1 in every cell, at other peaks for each size or budget."""
    both = list(itertools.product((0.5, 0.25), (0.2, 0.4)))
    sizes = peak_law([along(-0.05, large if k == 0.5 else small, k, t) for k, t in both], 0.95)
    budgets = peak_law([along(-0.05, large if t == 0.4 else small, k, t) for k, t in both], 0.95)
    for slope in (sizes.kept, budgets.budget):
        assert slope.direction in ("open", "same")
        assert slope.low <= 1e-9
        assert slope.high >= -1e-9


def test_bests_below_a_peak_that_diverged_are_not_the_same():
    """At 3.5 and 1.2, tried up to 1, at 4 diverged: the slope is 1.54 octaves over 1 octave."""
    tried = (0.0625, 0.25, 1)
    law = peak_law([along(np.log2(b), tried, k, cap=4) for b, k in ((3.5, 0.5), (1.2, 0.25))], 0.95)
    assert (law.kept.low, law.kept.high) == pytest.approx((-3, 3))
    assert law.kept.direction == "open"


@pytest.mark.parametrize("studies", [30, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("best", [-3.2, -2.2, 1.2, 2.2])
@pytest.mark.parametrize("flat", [0.5, 0.1])
def test_an_end_of_common_peaks_decides_nothing_false(studies, best, flat):
    """The best is the same in all cells, near an end; in one size it matters little."""
    false, chance = 0, np.random.default_rng(0)
    for _ in range(studies):
        law = peak_law(
            [
                along(best, PEAKS, k, t, 0.7, 0.02 if k == flat else 0.5, chance=chance)
                for k, t in itertools.product((0.5, 0.25, 0.1), (0.1, 0.2, 0.4, 0.8))
            ],
            0.95,
        )
        false += law.kept.direction in ("rises", "falls")
    assert false <= 0.05 * studies


STUDIES = pytest.param(400, marks=pytest.mark.slow)


@pytest.mark.parametrize("n", [LEAST, 8])
@pytest.mark.parametrize("studies", [30, STUDIES])
@pytest.mark.parametrize("kept", [0.0, 0.4])
def test_bands_cover_a_known_law(n, studies, kept):
    misses, wrong, best_misses = 0, 0, 0
    for seed in range(studies):
        cells = ruled(-0.3, kept, 0.0, n=n, sd=0.7, seed=seed)
        slope = peak_law(cells, 0.95).kept
        misses += not slope.low <= kept <= slope.high
        wrong += slope.direction not in (("same", "open") if not kept else ("rises", "open"))
        found = best_peak(cells[0], 0.95)
        truth = 2 ** (-0.3 - kept)
        best_misses += not found.low <= truth <= found.high
    allowed = 0.05 * studies + 3 * math.sqrt(0.05 * 0.95 * studies)
    assert misses <= allowed
    assert best_misses <= allowed
    assert wrong <= allowed


@pytest.mark.parametrize("studies", [30, STUDIES])
@pytest.mark.parametrize("kept", [0.0, 0.4])
def test_a_collapse_at_large_rates_leaves_the_slopes(studies, kept):
    misses = 0
    for seed in range(studies):
        cells = ruled(-0.3, kept, 0.0, sd=0.7, seed=seed, collapse=20)
        slope = peak_law(cells, 0.95).kept
        misses += not slope.low <= kept <= slope.high
    assert misses <= 0.05 * studies + 3 * math.sqrt(0.05 * 0.95 * studies)


@pytest.mark.parametrize("studies", [30, STUDIES])
def test_flat_curves_say_nothing(studies):
    """Where the peak does not matter, no direction is claimed."""
    shown = 0
    for seed in range(studies):
        law = peak_law(ruled(-0.3, 0, 0, sd=0.7, seed=seed, height=0.0), 0.95)
        shown += law.kept.direction != "open"
        shown += law.budget.direction != "open"
    assert shown <= 2 * 0.05 * studies


def test_a_steep_law_is_shown():
    shown = [peak_law(ruled(0.5, 0.6, 0, sd=0.7, seed=s), 0.95).kept.direction for s in range(20)]
    assert shown.count("rises") >= 17


def test_the_same_study_has_the_same_bands():
    one, other = (peak_law(ruled(-0.3, 0.4, 0, sd=0.7), 0.95) for _ in range(2))
    assert one == other
