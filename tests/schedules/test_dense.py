import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.schedules.decays import cosine, polynomial, step
from stages.schedules.dense import DenseRates
from stages.schedules.published import constant, linear, onecycle, scaled


def ending(*lr):
    return DenseRates(np.array(lr), np.full(len(lr), 0.9), 1)


def recorded(curve, epochs, **options):
    lr = curve(epochs * 10, 10, DenseRates.constant(0.1, 0.9, 10), **options)
    return DenseRates(lr, np.full(len(lr), 0.9), 10)


def test_a_recorded_curve_knows_its_epochs_largest_and_last_rate(cifar):
    assert (cifar.epochs, cifar.steps_per_epoch) == (160, 10)
    assert cifar.max == 0.1
    assert cifar.last == pytest.approx(0.001, rel=1e-15)


def test_the_last_rate_need_not_be_the_smallest():
    assert (ending(0.1, 0.01, 0.05).last, ending(0.01, 0.1, 0.05).max) == (0.05, 0.1)


def test_named_rates_and_numbers_resolve(cifar, imagenet):
    for dense in (cifar, imagenet):
        assert dense.resolve("max") == 0.1
        assert dense.resolve("last") == pytest.approx(0.001, rel=1e-15)
        assert dense.resolve(0.03) == 0.03


def test_a_constant_reference_makes_both_names_mean_its_rate():
    dense = DenseRates.constant(0.05, 0.9, 8, epochs=3)
    assert dense.resolve("max") == dense.resolve("last") == 0.05
    assert (dense.epochs, len(dense.lr), dense.momentum[0]) == (3, 24, 0.9)


@pytest.mark.parametrize("epochs", [3, 20, 160])
@pytest.mark.parametrize("curve", [cosine, onecycle, linear])
def test_last_is_refused_where_the_dense_curve_ends_near_0(curve, epochs):
    with pytest.raises(Fault, match=r"^initial_lr: 'last' is .* a number such as 0\.001"):
        recorded(curve, epochs).resolve("last", "initial_lr")


def test_last_is_allowed_after_steps_and_after_a_cosine_that_ends_above_0():
    thrice = recorded(step, 100, milestones=(30, 60, 90))  # 0.1 -> 0.0001
    assert thrice.resolve("last") == pytest.approx(1e-4, rel=1e-15)
    assert recorded(cosine, 160, final_lr=0.001).resolve("last") == pytest.approx(1e-3, rel=1e-4)
    assert ending(0.1).resolve("last") == 0.1


def test_the_bound_of_last_is_a_2000th_of_the_largest():
    assert ending(1.0, 0.0005, 0.0005).resolve("last") == 0.0005
    with pytest.raises(Fault):
        ending(1.0, 0.00049, 0.00049).resolve("last")


def test_last_is_taken_where_a_step_curve_drops_on_its_very_last_step():
    lr = step(12, 1, DenseRates.constant(0.1, 0.9, 1), milestones=(6, 11))
    assert DenseRates(lr, np.full(12, 0.9), 1).resolve("last") == pytest.approx(0.001)


@pytest.mark.parametrize(("steps", "milestones"), [(2, (1,)), (12, (10, 11)), (3, (1, 2))])
def test_last_is_taken_where_the_last_drop_follows_no_plateau(steps, milestones):
    lr = step(steps, 1, DenseRates.constant(0.1, 0.9, 1), milestones=milestones)
    dense = DenseRates(lr, np.full(steps, 0.9), 1)
    assert dense.resolve("last") == pytest.approx(0.1 * 0.1 ** len(milestones))


@pytest.mark.parametrize("steps", range(2, 40))
@pytest.mark.parametrize("options", [{"power": 1.0}, {"power": 2.0}, {"power": 3.0}])
def test_last_is_refused_after_a_fall_to_0_of_any_length(steps, options):
    for curve, given in ((polynomial, options), (cosine, {})):
        lr = curve(steps, 1, DenseRates.constant(0.1, 0.9, 1), **given)
        with pytest.raises(Fault, match="ends near 0"):
            DenseRates(lr, np.full(steps, 0.9), 1).resolve("last")


def test_last_is_refused_where_a_step_curve_drops_to_nearly_0():
    lr = step(12, 1, DenseRates.constant(0.1, 0.9, 1), milestones=(6, 11), factor=0.01)
    with pytest.raises(Fault, match="ends near 0"):
        DenseRates(lr, np.full(12, 0.9), 1).resolve("last")


def test_arms_that_use_last_refuse_a_dense_curve_that_ends_near_0(cosine_run):
    with pytest.raises(Fault, match=r"^lr: 'last'"):
        constant(10, 10, cosine_run)
    with pytest.raises(Fault, match=r"^initial_lr: 'last'"):
        scaled(10, 10, cosine_run)
    assert constant(10, 10, cosine_run, lr=0.001).tolist() == [0.001] * 10
    assert len(scaled(10, 10, cosine_run, initial_lr=0.001)) == 10


@pytest.mark.parametrize(
    ("lr", "momentum", "steps_per_epoch"),
    [
        ([0.1] * 5, [0.9] * 5, 2),
        ([0.1] * 4, [0.9] * 3, 2),
        ([], [], 1),
        ([0.1], [0.9], 0),
        ([0.0, 0.0], [0.9] * 2, 1),
        ([0.1, -0.1], [0.9] * 2, 1),
        ([0.1, float("nan")], [0.9] * 2, 1),
        ([0.1, float("inf")], [0.9] * 2, 1),
    ],
)
def test_a_broken_record_is_refused(lr, momentum, steps_per_epoch):
    with pytest.raises(Fault, match=r"^dense curve: "):
        DenseRates(np.array(lr), np.array(momentum), steps_per_epoch)
