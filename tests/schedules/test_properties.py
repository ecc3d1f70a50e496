"""What holds for every curve in the registry, at any budget."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.schedules.arm import Arm
from stages.schedules.decays import cosine, step
from stages.schedules.dense import DenseRates
from stages.schedules.registry import CURVES, PRESCRIPTIONS

NEEDED = {"step": {"milestones": (3, 5)}}
WARMED = sorted(set(CURVES) - PRESCRIPTIONS.keys() - {"constant", "replay", "stretch"})
CONTINUOUS = sorted(
    {"adaptive_linear", "cosine", "exponential", "linear", "onecycle", "polynomial", "rex"}
    | {"warmup_decay"}
)

names = st.sampled_from(sorted(CURVES))
epochs = st.integers(1, 40)
steps_per_epoch = st.integers(1, 12)
fractions = st.floats(0, 0.99)
momenta = st.sampled_from([None, 0.9, "cycled"])


def dense_run(per_epoch):
    reference = DenseRates.constant(0.1, 0.9, per_epoch)
    lr = step(40 * per_epoch, per_epoch, reference, milestones=(20, 30))
    return DenseRates(lr, np.full(len(lr), 0.9), per_epoch)


def curves(name, length, per_epoch, momentum=None, **options):
    arm = Arm("final", name, NEEDED.get(name, {}) | options, momentum)
    return arm.rates(length, per_epoch, dense_run(per_epoch))


@given(names, epochs, steps_per_epoch, momenta)
@settings(max_examples=200)
def test_every_curve_is_finite_within_its_bounds_and_as_long_as_its_arm(
    name, length, per_epoch, momentum
):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = curves(name, length, per_epoch, momentum)
        lr, beta = drawn.lr, drawn.momentum
    assert lr.shape == beta.shape == (length * per_epoch,)
    assert lr.dtype == beta.dtype == np.float64
    assert np.isfinite(lr).all()
    assert lr.min() >= 0
    assert lr.max() <= 0.1 * (1 + 1e-15)
    assert beta.min() >= 0.85 - 1e-15
    assert beta.max() <= 0.95 + 1e-15


@given(names, epochs, steps_per_epoch)
@settings(max_examples=50)
def test_a_curve_depends_on_nothing_but_its_arguments(name, length, per_epoch):
    first, second = (curves(name, length, per_epoch) for _ in range(2))
    assert first.lr.tobytes() == second.lr.tobytes()
    assert first.momentum.tobytes() == second.momentum.tobytes()


@given(st.sampled_from(WARMED), epochs, steps_per_epoch, fractions)
@settings(max_examples=200)
def test_any_warm_up_fraction_works(name, length, per_epoch, warmup):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = curves(name, length, per_epoch, "cycled", warmup=warmup)
        lr, beta = drawn.lr, drawn.momentum
    assert np.isfinite(lr).all()
    assert np.isfinite(beta).all()
    assert lr.min() >= 0
    assert lr.max() <= 0.1 * (1 + 1e-15)


@pytest.mark.parametrize("name", WARMED)
def test_without_warm_up_a_curve_starts_at_its_peak(name):
    lr = curves(name, 40, 10, warmup=0.0).lr
    # per-step curves of torch's one-cycle kind are one step into their fall
    assert lr[0] == pytest.approx(0.1, rel=1e-4)
    assert (lr <= lr[0]).all()


@pytest.mark.parametrize("name", sorted(CURVES))
def test_a_single_step_has_a_rate_and_a_momentum(name):
    drawn = curves(name, 1, 1)
    lr, beta = drawn.lr, drawn.momentum
    assert 0 < lr[0] <= 0.1
    assert 0.85 <= beta[0] <= 0.95


@given(st.sampled_from(CONTINUOUS), st.integers(200, 900), st.floats(0.05, 0.9))
@settings(max_examples=60)
def test_smooth_curves_have_no_jump_and_one_peak(name, total, warmup):
    lr = curves(name, total, 1, warmup=warmup).lr
    peak = int(np.argmax(lr))
    assert abs(peak - warmup * total) <= 2
    assert lr[peak] == pytest.approx(0.1, rel=0.02)
    assert (np.diff(lr[: peak + 1]) >= 0).all()
    assert (np.diff(lr[peak:]) <= 0).all()
    # REX falls fastest, with slope 2 at its end; a cosine's slope is pi/2, the exponential's ln 100
    assert np.abs(np.diff(lr)).max() <= 0.1 * 4.7 / (total * min(warmup, 1 - warmup) - 2)


@given(epochs, steps_per_epoch)
@settings(max_examples=50)
def test_curves_of_epochs_are_constant_within_them(length, per_epoch):
    dense = dense_run(per_epoch)
    for arm in (Arm("final", "scaled"), Arm("final", "warmup_decay", {"granularity": "epoch"})):
        rows = arm.rates(length, per_epoch, dense).lr.reshape(length, per_epoch)
        assert (rows == rows[:, :1]).all()


@given(st.integers(1, 40), steps_per_epoch)
@settings(max_examples=50)
def test_replay_of_any_length_is_the_end_of_the_record(length, per_epoch):
    reference = DenseRates.constant(0.1, 0.9, per_epoch)
    lr = cosine(40 * per_epoch, per_epoch, reference, warmup=0.1)
    dense = DenseRates(lr, np.linspace(0.85, 0.95, len(lr)), per_epoch)
    ours = Arm("rewound", "replay").rates(length, per_epoch, dense)
    assert (ours.lr == lr[-length * per_epoch :]).all()
    assert (ours.momentum == dense.momentum[-length * per_epoch :]).all()


@given(st.integers(1, 300), steps_per_epoch)
@settings(max_examples=50)
def test_stretch_keeps_order_and_ends(length, per_epoch):
    dense = dense_run(per_epoch)
    lr = Arm("fresh", "stretch").rates(length, per_epoch, dense).lr
    assert lr[0] == dense.lr[0]
    assert (np.diff(lr) <= 0).all()
    if length >= 40:
        assert lr[-1] == dense.lr[-1]
        assert set(lr) == set(dense.lr)
