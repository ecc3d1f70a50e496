from itertools import pairwise

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.schedules.arm import Arm
from stages.schedules.published import onecycle, scaled
from stages.schedules.warmup_decay import warmup_decay

STEPS = 10
SCALED = {"initial_lr": "last", "decay": "step", "granularity": "epoch"}


def walked(dense, epochs, momentum=None, **options):
    return Arm("final", "warmup_decay", options, momentum).rates(epochs, STEPS, dense)


@pytest.mark.parametrize("epochs", [1, 10, 37, 40, 72, 104])
def test_the_walk_from_scaled_to_onecycle_one_change_at_a_time(cifar, epochs):
    total = epochs * STEPS
    options = dict(SCALED)
    arms = [walked(cifar, epochs, **options)]
    for change in ({"granularity": "step"}, {"decay": "cosine"}, {"final_lr": 1e-5}):
        options |= change
        arms.append(walked(cifar, epochs, **options))
    arms.append(walked(cifar, epochs, momentum="cycled", **options))

    assert (arms[0].lr == scaled(total, STEPS, cifar)).all()
    end = Arm("final", "onecycle").rates(epochs, STEPS, cifar)
    np.testing.assert_allclose(arms[-1].lr, end.lr, rtol=0, atol=1e-15)
    assert (arms[-1].momentum == end.momentum).all()

    assert (arms[3].lr == arms[4].lr).all()
    for arm in arms[:4]:
        assert set(arm.momentum) == {0.9}
    for before, after in pairwise(arms[:4]):
        assert epochs < 10 or (before.lr != after.lr).any()
    for arm in arms[:3]:
        assert epochs == 1 or arm.lr[-1] == pytest.approx(0.001)


@pytest.mark.parametrize("epochs", [1, 9, 10, 45, 90])
def test_imagenets_scaled_and_onecycle_are_special_cases(imagenet, epochs):
    total, drops = epochs * STEPS, (0.33, 0.66)
    same = warmup_decay(total, STEPS, imagenet, drops=drops, **SCALED)
    assert (same == scaled(total, STEPS, imagenet, drops=drops)).all()
    same = warmup_decay(total, STEPS, imagenet, initial_lr=0.001, final_lr=1e-5)
    assert (same == onecycle(total, STEPS, imagenet)).all()


def test_each_confound_changes_alone(cifar):
    base = warmup_decay(720, STEPS, cifar)
    assert (base[0], base[71], base[-1]) == pytest.approx((0.001, 0.1, 0.001))

    peak = warmup_decay(720, STEPS, cifar, max_lr=0.05, final_lr=0.001)
    assert (peak[0], peak[71], peak[-1]) == pytest.approx((0.001, 0.05, 0.001))
    initial = warmup_decay(720, STEPS, cifar, initial_lr=0.02)
    assert initial[0] == pytest.approx(0.02)
    assert (initial[71:] == base[71:]).all()
    warm = warmup_decay(720, STEPS, cifar, warmup=0.25)
    assert (np.argmax(warm), warm[-1]) == (179, pytest.approx(0.001))
    line = warmup_decay(720, STEPS, cifar, warmup_shape="linear")
    assert line[:72] == pytest.approx(np.linspace(0.001, 0.1, 72))
    assert (line[72:] == base[72:]).all()
    final = warmup_decay(720, STEPS, cifar, final_lr=0.005)
    assert (final[:72] == base[:72]).all()
    assert final[-1] == 0.005


@pytest.mark.parametrize("decay", ["cosine", "linear", "step", "exponential", "polynomial", "rex"])
@pytest.mark.parametrize("granularity", ["step", "epoch"])
@pytest.mark.parametrize("final_lr", [None, 0.004])
def test_every_decay_ends_at_the_same_rate_at_either_granularity(
    cifar, decay, granularity, final_lr
):
    options = {"decay": decay, "granularity": granularity, "final_lr": final_lr}
    lr = warmup_decay(720, STEPS, cifar, **options)
    assert lr[0] == pytest.approx(0.001)
    assert lr[-1] == pytest.approx(final_lr or 0.001, rel=1e-12)
    assert lr.max() == 0.1
    assert (np.diff(lr[np.argmax(lr) :]) <= 0).all()
    rows = lr.reshape(-1, STEPS)
    held = (rows == rows[:, :1]).all()
    assert held == (granularity == "epoch")


# half-way down from 0.1 to 0: cosine and line 1/2, square 1/4, REX (1/2)/(3/4) = 2/3
@pytest.mark.parametrize(
    ("decay", "share"),
    [("cosine", 1 / 2), ("linear", 1 / 2), ("polynomial", 1 / 4), ("rex", 2 / 3)],
)
def test_decay_shapes_half_way(cifar, decay, share):
    lr = warmup_decay(101, 1, cifar, warmup=1 / 101, decay=decay, final_lr=0.0)
    assert lr[50] == pytest.approx(0.1 * share)


def test_exponential_half_way_is_the_geometric_mean(cifar):
    lr = warmup_decay(101, 1, cifar, warmup=1 / 101, decay="exponential", final_lr=0.001)
    assert lr[50] == pytest.approx(0.01)


def test_the_power_is_the_polynomials(cifar):
    lr = warmup_decay(101, 1, cifar, warmup=1 / 101, decay="polynomial", power=3.0, final_lr=0.0)
    assert lr[50] == pytest.approx(0.1 / 8)


def test_a_constant_decay_stays_at_the_peak(cifar):
    assert set(warmup_decay(720, STEPS, cifar, decay="constant")[71:]) == {0.1}


def test_step_drops_fall_on_the_same_epochs_at_either_granularity(cifar):
    coarse = warmup_decay(720, STEPS, cifar, decay="step", granularity="epoch")
    fine = warmup_decay(720, STEPS, cifar, decay="step", granularity="step")
    assert (coarse[72:] == fine[72:]).all()
    assert fine[389] == 0.1
    assert fine[390] == pytest.approx(0.01)


def test_a_final_rate_that_the_decay_cannot_reach_is_refused(cifar):
    for decay in ("exponential", "step"):
        with pytest.raises(Fault, match=r"final_lr: 0 with decay: (exponential|step)"):
            warmup_decay(100, STEPS, cifar, decay=decay, final_lr=0.0)
    with pytest.raises(Fault, match="ends at max_lr; allowed: null"):
        warmup_decay(100, STEPS, cifar, decay="constant", final_lr=0.01)


def test_a_step_decay_without_drops_stays_at_the_peak(cifar):
    assert set(warmup_decay(100, STEPS, cifar, decay="step", drops=())[9:]) == {0.1}


def test_epochs_that_the_steps_do_not_fill_are_cut_short(cifar):
    whole = warmup_decay(100, STEPS, cifar, **SCALED)
    assert (warmup_decay(93, STEPS, cifar, **SCALED) == whole[:93]).all()


def test_a_step_decay_without_drops_has_no_final_rate(cifar):
    with pytest.raises(Fault, match=r"^final_lr: 0\.01 with decay: step, which ends at max_lr"):
        warmup_decay(100, 10, cifar, decay="step", drops=(), final_lr=0.01)
