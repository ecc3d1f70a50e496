"""Golden values of the published arms, from the papers or derived by hand in the comments."""

from math import cos, pi, sqrt

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.schedules.adaptive import adaptive_scale
from stages.schedules.dense import DenseRates
from stages.schedules.published import (
    adaptive_linear,
    constant,
    linear,
    onecycle,
    replay,
    scaled,
    stretch,
)

STEPS = 10


def per_epoch(lr):
    """The value of each epoch of a curve that is constant within epochs."""
    rows = lr.reshape(-1, STEPS)
    assert (rows == rows[:, :1]).all()
    return rows[:, 0]


def drop_epochs(lr):
    """The epochs that begin with a tenth of the epoch before."""
    values = per_epoch(lr)
    return [i for i in range(1, len(values)) if values[i] / values[i - 1] == pytest.approx(0.1)]


def test_finetune_is_the_last_dense_rate_for_the_whole_budget(cifar):
    assert constant(720, STEPS, cifar) == pytest.approx(np.full(720, 0.001), rel=1e-15)
    assert set(constant(30, STEPS, cifar, lr="max")) == {0.1}


@pytest.mark.parametrize("epochs", [1, 7, 39, 40])
def test_lr_rewind_up_to_40_epochs_is_finetune(cifar, epochs):
    steps = epochs * STEPS
    assert (replay(steps, STEPS, cifar) == constant(steps, STEPS, cifar)).all()


# the drops at 80 and 120 of 160 fall on epochs T - 80 and T - 40 of the arm
@pytest.mark.parametrize(
    ("epochs", "first", "drops"),
    [
        (41, 0.01, [1]),
        (72, 0.01, [32]),
        (80, 0.01, [40]),
        (81, 0.1, [1, 41]),
        (104, 0.1, [24, 64]),
        (152, 0.1, [72, 112]),
        (160, 0.1, [80, 120]),
    ],
)
def test_lr_rewind_on_cifar(cifar, epochs, first, drops):
    lr = replay(epochs * STEPS, STEPS, cifar)
    assert lr[0] == pytest.approx(first)
    assert drop_epochs(lr) == drops
    assert lr[-1] == pytest.approx(0.001)


# of 90 epochs with drops at 30 and 60: T - 60 and T - 30
@pytest.mark.parametrize(
    ("epochs", "first", "drops"), [(30, 0.001, []), (45, 0.01, [15]), (90, 0.1, [30, 60])]
)
def test_lr_rewind_on_imagenet(imagenet, epochs, first, drops):
    lr = replay(epochs * STEPS, STEPS, imagenet)
    assert lr[0] == pytest.approx(first)
    assert drop_epochs(lr) == drops


def test_replay_follows_any_recorded_shape_and_leaves_it_alone(cosine_run):
    lr = replay(333, STEPS, cosine_run)
    assert (lr == cosine_run.lr[1600 - 333 :]).all()
    lr[:] = 0
    assert cosine_run.lr[-333] > 0


def test_replay_refuses_more_epochs_or_other_steps_than_the_dense_run(cifar):
    with pytest.raises(Fault, match=r"replay: 161 epochs, more than the dense run's 160"):
        replay(1610, STEPS, cifar)
    with pytest.raises(Fault, match="replay: 9 steps per epoch, but the dense run has 10"):
        replay(90, 9, cifar)


# w = int(T/10); drops at w + int(.45 T) and w + int(.675 T):
# 56: 5, 25.2, 37.8    88: 8, 39.6, 59.4   104: 10, 46.8, 70.2   120: 12, 54.0, 81.0
# 136: 13, 61.2, 91.8  152: 15, 68.4, 102.6  33: 3, 14.85, 22.275 (int(30*.5) would be 15)
SCALED_CIFAR = {
    40: (4, [22, 31]),
    56: (5, [30, 42]),
    72: (7, [39, 55]),
    88: (8, [47, 67]),
    104: (10, [56, 80]),
    120: (12, [66, 93]),
    136: (13, [74, 104]),
    152: (15, [83, 117]),
    33: (3, [17, 25]),
    9: (0, [4, 6]),
    1: (0, []),
}


@pytest.mark.parametrize("epochs", SCALED_CIFAR)
def test_scaled_on_cifar(cifar, epochs):
    warm, drops = SCALED_CIFAR[epochs]
    lr = scaled(epochs * STEPS, STEPS, cifar)
    values = per_epoch(lr)
    up = [0.1 + (0.001 - 0.1) / 2 * (1 + cos(pi * e / warm)) for e in range(warm)]
    assert values[:warm] == pytest.approx(up, rel=1e-14)
    assert drop_epochs(lr[warm * STEPS :]) == [d - warm for d in drops]
    assert values[-1] == pytest.approx(0.001)
    if epochs > 1:
        assert values[warm] == 0.1


# w + int(.297 T) and w + int(.594 T): 45: 4 + 13, 4 + 26; 90: 9 + 26 (26.73), 9 + 53 (53.46)
@pytest.mark.parametrize(("epochs", "drops"), [(45, [17, 30]), (90, [35, 62])])
def test_scaled_on_imagenet(imagenet, epochs, drops):
    lr = scaled(epochs * STEPS, STEPS, imagenet, drops=(0.33, 0.66))
    assert drop_epochs(lr) == drops
    assert lr[0] == pytest.approx(0.001)
    assert lr[-1] == pytest.approx(0.001)


@pytest.mark.parametrize("drops", [(0.5, 0.75), (0.33, 0.66)])
def test_scaled_rounds_its_drops_as_the_authors_do_at_every_budget(cifar, drops):
    for epochs in range(10, 400):
        warm = int(0.1 * epochs)
        values = scaled(epochs, 1, cifar, drops=drops)
        for at in (warm + int(drop * 0.9 * epochs) for drop in drops):
            assert values[at] == pytest.approx(values[at - 1] / 10)


def test_scaled_warms_up_from_the_peak_where_the_dense_run_ended_above_it(cifar):
    values = scaled(40, 1, cifar, initial_lr=0.01, max_lr=0.005)
    assert set(values[:22]) == {0.005}


def test_scaled_without_warm_up_starts_at_the_peak(cifar):
    assert per_epoch(scaled(400, STEPS, cifar, warmup=0.0))[0] == 0.1
    assert drop_epochs(scaled(400, STEPS, cifar, warmup=0.0)) == [20, 30]


# T = 72 at 10 steps: W = 72, 648 left of 1600. DenseRates drops at 800 and 1200 of 1600, so at
# 324 and 486 of 648: steps 396 and 558, epoch 39.6 and 55.8.
def test_scaled_in_zimmers_variant_squeezes_the_recorded_steps(cifar):
    lr = scaled(720, STEPS, cifar, variant="zimmer")
    assert lr[0] == 0
    assert lr[36] == pytest.approx(0.05)
    assert lr[72:396] == pytest.approx(np.full(324, 0.1))
    assert lr[396:558] == pytest.approx(np.full(162, 0.01))
    assert lr[558:] == pytest.approx(np.full(162, 0.001))


def test_zimmers_variant_skips_the_dense_runs_own_warm_up():
    lr = np.array([0.0, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01])
    dense = DenseRates(lr, np.full(10, 0.9), 1)
    squeezed = scaled(5, 1, dense, variant="zimmer", warmup=0.0)
    assert squeezed == pytest.approx([0.1, 0.1, 0.1, 0.1, 0.01])


def test_options_that_zimmers_variant_do_not_have_are_refused(cifar):
    for option in ({"factor": 0.2}, {"drops": (0.33, 0.66)}, {"initial_lr": 0.01}):
        with pytest.raises(Fault, match="variant zimmer has no such option"):
            scaled(100, STEPS, cifar, variant="zimmer", **option)
    for option in ({"div_factor": 25}, {"final_div_factor": 10}):
        with pytest.raises(Fault, match="variant zimmer has no such option"):
            onecycle(100, STEPS, cifar, variant="zimmer", **option)


# N = 720: the peak on step 71, the middle of the fall at (719 - 71)/2 after it, the end on 719
def test_onecycle_runs_from_a_hundredth_to_the_peak_to_a_ten_thousandth(cifar):
    lr = onecycle(720, STEPS, cifar)
    assert lr[0] == pytest.approx(0.001, rel=1e-15)
    assert lr[71] == 0.1
    assert lr[71 + 324] == pytest.approx((0.1 + 1e-5) / 2, rel=1e-12)
    assert lr[-1] == 1e-5
    assert (np.diff(lr[:72]) > 0).all()
    assert (np.diff(lr[71:]) < 0).all()


def test_onecycle_takes_its_peak_and_ends_from_its_options(cifar):
    lr = onecycle(100, STEPS, cifar, max_lr=0.05, div_factor=10, final_div_factor=50, warmup=0.3)
    assert (lr[0], lr[29], lr[-1]) == pytest.approx((0.005, 0.05, 0.0001))
    assert np.argmax(lr) == 29


def test_onecycle_of_ten_steps_starts_at_its_peak_where_torch_divides_by_zero(cifar):
    lr = onecycle(10, STEPS, cifar)
    assert lr[0] == 0.1
    assert lr[-1] == 1e-5


def test_onecycle_in_zimmers_variant_rises_from_0_and_falls_to_the_last_dense_rate(cifar):
    lr = onecycle(720, STEPS, cifar, variant="zimmer")
    assert (lr[0], lr[36], lr[72]) == pytest.approx((0, 0.05, 0.1))
    assert lr[72 + 324] == pytest.approx((0.1 + 0.001) / 2)
    assert lr[-1] == pytest.approx(0.001 + 0.099 * (1 + cos(pi * 647 / 648)) / 2)


def test_onecycle_in_zimmers_variant_may_end_as_low_as_the_dense_run(cosine_run):
    assert onecycle(720, STEPS, cosine_run, variant="zimmer")[-1] < 1e-6


# N = 40, W = 4: (1 - cos(pi k/4))/2 = 0, .1464, .5, .8536, then 1 - (k - 4)/36
def test_linear_rises_by_cosine_and_falls_on_a_line(cifar):
    lr = linear(40, STEPS, cifar)
    low = (1 - sqrt(0.5)) / 2
    assert lr[:5] == pytest.approx([0, 0.1 * low, 0.05, 0.1 * (1 - low), 0.1])
    assert lr[22] == pytest.approx(0.05)
    assert lr[39] == pytest.approx(0.1 / 36)


def test_adaptive_linear_is_linear_at_scale_1(cifar):
    assert (adaptive_linear(400, STEPS, cifar) == linear(400, STEPS, cifar)).all()
    assert adaptive_linear(400, STEPS, cifar, max_lr=0.04).max() == 0.04


@pytest.mark.parametrize(
    ("distance", "pruned", "epochs", "scale"),
    [
        (0.3, 0.36, 40, 0.5),  # .3/.6, within [.25, 1]
        (0.1, 0.64, 40, 0.25),  # .125 is below 40/160
        (0.9, 0.25, 40, 1.0),  # 1.8 is above 1
        (0.1, 0.64, 160, 1.0),
        (0.1, 0.64, 320, 1.0),  # T/E counts as 1 at most
        (0.0, 0.0, 40, 0.25),
        (0.5, 1.0, 16, 0.5),
    ],
)
def test_adaptive_scale(distance, pruned, epochs, scale):
    assert adaptive_scale(distance, pruned, epochs, 160) == pytest.approx(scale, rel=1e-15)


@pytest.mark.parametrize(
    ("distance", "pruned"), [(-0.1, 0.5), (float("nan"), 0.5), (0.1, 1.1), (0.1, -0.1)]
)
def test_adaptive_scale_refuses_what_is_no_distance_or_fraction(distance, pruned):
    with pytest.raises(Fault, match="adaptive_scale: "):
        adaptive_scale(distance, pruned, 40, 160)


def test_stretch_over_the_dense_epochs_is_the_dense_curve_to_the_bit(cifar, cosine_run):
    for dense in (cifar, cosine_run):
        assert (stretch(1600, STEPS, dense) == dense.lr).all()


# 240 of 160 epochs: drops at 120 and 180; 80 of 160: at 40 and 60
@pytest.mark.parametrize(("epochs", "drops"), [(240, [120, 180]), (80, [40, 60])])
def test_stretch_moves_the_drops_in_proportion(cifar, epochs, drops):
    assert drop_epochs(stretch(epochs * STEPS, STEPS, cifar)) == drops
