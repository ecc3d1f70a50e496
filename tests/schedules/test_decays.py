import numpy as np
import pytest

from stages.schedules.decays import cosine, exponential, polynomial, rex, step, warm_restarts
from stages.schedules.dense import DenseRates

AT = DenseRates.constant(0.1, 0.9, 10)


def test_the_cifar_recipe_drops_at_80_and_120(cifar):
    assert (cifar.lr[:800] == 0.1).all()
    assert cifar.lr[800:1200] == pytest.approx(np.full(400, 0.01), rel=1e-15)
    assert cifar.lr[1200:] == pytest.approx(np.full(400, 0.001), rel=1e-15)


def test_the_imagenet_recipe_drops_every_30(imagenet):
    ends = imagenet.lr[[0, 299, 300, 599, 600, 899]]
    assert ends == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001], rel=1e-15)


def test_milestones_count_from_the_start_in_any_order_twice_or_beyond_the_end():
    warm = step(100, 10, AT, milestones=(9, 5, 5, 40), factor=0.5, warmup=0.2)
    assert warm[:20] == pytest.approx(0.1 * np.arange(20) / 20)
    assert set(warm[20:50]) == {0.1}
    assert warm[50:90] == pytest.approx(np.full(40, 0.025))
    assert warm[90:] == pytest.approx(np.full(10, 0.0125))
    assert set(step(100, 10, AT, milestones=())) == {0.1}


# z = k/N at k = 30 of 120, a quarter: (1 + cos(pi/4))/2, (3/4)^2, (3/4)/(7/8), 100^(-1/4)
@pytest.mark.parametrize(
    ("curve", "share"),
    [(cosine, 0.8535533905932737), (polynomial, 9 / 16), (rex, 6 / 7), (exponential, 10**-0.5)],
)
def test_decays_a_quarter_of_the_way(curve, share):
    lr = curve(120, 10, AT)
    assert lr[0] == pytest.approx(0.1, rel=1e-15)
    assert lr[30] == pytest.approx(0.1 * share, rel=1e-14)


@pytest.mark.parametrize("curve", [cosine, polynomial, rex, exponential])
def test_decays_approach_their_final_rate_after_a_linear_warm_up(curve):
    lr = curve(1000, 10, AT, max_lr=0.2, final_lr=0.002, warmup=0.1)
    assert lr[:100] == pytest.approx(0.2 * np.arange(100) / 100)
    assert lr[100] == 0.2
    assert 0.002 < lr[-1] < 0.0035
    assert (np.diff(lr[100:]) < 0).all()


# cycles of 20, 60 and 180 steps start at 0, 20 and 80
def test_restarts_begin_at_the_peak_and_lengthen():
    lr = warm_restarts(150, 10, AT, period=2, multiplier=3, final_lr=0.01)
    assert lr[[0, 20, 80]] == pytest.approx([0.1] * 3, rel=1e-15)
    assert lr[[10, 50]] == pytest.approx([0.055] * 2)
    assert lr[[19, 79]] == pytest.approx([0.01] * 2, rel=0.06)
    assert (lr[1:] > lr[:-1]).nonzero()[0].tolist() == [19, 79]


def test_restarts_are_counted_from_the_end_of_the_warm_up():
    lr = warm_restarts(100, 10, AT, period=3, multiplier=1, warmup=0.1)
    assert (lr[1:] > lr[:-1]).nonzero()[0].tolist() == [*range(10), 39, 69]
    assert (lr[10:] == warm_restarts(90, 10, AT, period=3, multiplier=1)).all()
