"""torch's own schedulers, and the authors' compositions of them, as independent references."""

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler

from stages.schedules import decays, published, shapes
from stages.schedules.arm import Arm
from stages.schedules.dense import DenseRates

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # a scheduler without training


def optimizer(lr=0.1):
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


def run(sgd, scheduler, steps):
    """The learning rate and momentum at which each of `steps` steps would be taken."""
    lr, momentum = [], []
    for i in range(steps):
        lr.append(sgd.param_groups[0]["lr"])
        momentum.append(sgd.param_groups[0]["momentum"])
        if i < steps - 1:
            scheduler.step()
    return np.array(lr), np.array(momentum)


def reference(lr=0.1):
    return DenseRates.constant(lr, 0.9, 10)


@pytest.mark.parametrize("warmup", [0.1, 0.3, 0.0, 0.07])
@pytest.mark.parametrize("total", [1, 3, 7, 11, 13, 40, 99, 100, 347])
def test_onecycle_is_torchs_to_the_bit(cifar, total, warmup):
    sgd = optimizer()
    scheduler = lr_scheduler.OneCycleLR(
        sgd, 0.1, total_steps=total, pct_start=warmup, div_factor=100, final_div_factor=100
    )
    lr, momentum = run(sgd, scheduler, total)
    ours = Arm("final", "onecycle", {"warmup": warmup}).rates(total, 1, cifar)
    assert (ours.lr == lr).all()
    assert (ours.momentum == momentum).all()


def test_onecycles_other_options_are_torchs(imagenet):
    sgd = optimizer()
    scheduler = lr_scheduler.OneCycleLR(
        sgd, 0.4, total_steps=450, pct_start=0.25, div_factor=25.0, final_div_factor=1e4
    )
    options = {"max_lr": 0.4, "warmup": 0.25, "div_factor": 25.0, "final_div_factor": 1e4}
    ours = published.onecycle(450, 10, imagenet, **options)
    assert (ours == run(sgd, scheduler, 450)[0]).all()


@pytest.mark.parametrize("epochs", [10, 40, 45, 72, 133])
@pytest.mark.parametrize("shares", [(0.5, 0.75), (0.33, 0.66)])
def test_scaled_is_the_authors_warm_up_around_torchs_multistep(cifar, epochs, shares):
    warm = int(0.1 * epochs)
    sgd = optimizer()
    milestones = [int(share * 0.9 * epochs) for share in shares]
    scheduler = lr_scheduler.MultiStepLR(sgd, milestones, gamma=0.1)
    expected = [0.1 + (0.001 - 0.1) / 2.0 * (np.cos(np.pi * e / warm) + 1) for e in range(warm)]
    expected.extend(run(sgd, scheduler, epochs - warm)[0])
    ours = published.scaled(epochs * 10, 10, cifar, drops=shares)
    np.testing.assert_allclose(ours, np.repeat(expected, 10), rtol=1e-13)


@pytest.mark.parametrize("total", [1, 2, 30, 365])
def test_cosine(total):
    sgd = optimizer()
    scheduler = lr_scheduler.CosineAnnealingLR(sgd, T_max=total, eta_min=0.002)
    ours = decays.cosine(total, 10, reference(), final_lr=0.002)
    np.testing.assert_allclose(ours, run(sgd, scheduler, total)[0], rtol=1e-12)


def test_step():
    sgd = optimizer()
    scheduler = lr_scheduler.MultiStepLR(sgd, [30, 50, 50, 90], gamma=0.2)
    ours = decays.step(700, 7, reference(), milestones=(30, 50, 50, 90), factor=0.2)
    np.testing.assert_allclose(ours, np.repeat(run(sgd, scheduler, 100)[0], 7), rtol=1e-13)


@pytest.mark.parametrize("power", [0.9, 1.0, 2.0, 3.5])
def test_polynomial(power):
    sgd = optimizer()
    scheduler = lr_scheduler.PolynomialLR(sgd, total_iters=80, power=power)
    ours = decays.polynomial(80, 10, reference(), power=power)
    np.testing.assert_allclose(ours, run(sgd, scheduler, 80)[0], rtol=1e-12)


def test_exponential():
    sgd = optimizer()
    scheduler = lr_scheduler.ExponentialLR(sgd, gamma=0.03 ** (1 / 90))
    ours = decays.exponential(90, 10, reference(), final_lr=0.003)
    np.testing.assert_allclose(ours, run(sgd, scheduler, 90)[0], rtol=1e-12)


@pytest.mark.parametrize(("period", "multiplier"), [(1, 1), (2, 1), (1, 2), (2, 3)])
def test_warm_restarts(period, multiplier):
    sgd = optimizer()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(
        sgd, T_0=period * 10, T_mult=multiplier, eta_min=0.001
    )
    ours = decays.warm_restarts(
        237, 10, reference(), period=period, multiplier=multiplier, final_lr=0.001
    )
    np.testing.assert_allclose(ours, run(sgd, scheduler, 237)[0], rtol=1e-13)


def test_the_linear_warm_up_of_the_decays():
    sgd = optimizer()
    scheduler = lr_scheduler.LinearLR(sgd, start_factor=1e-20, total_iters=20)
    ours = decays.step(100, 10, reference(), milestones=(), warmup=0.2)
    np.testing.assert_allclose(ours, run(sgd, scheduler, 100)[0], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("last", [0.0, 1e-5])
def test_timms_cosine_with_warm_up(last):
    """How DeiT and timm train transformers: a linear rise, then a cosine."""
    sgd = optimizer()
    scheduler = pytest.importorskip("timm.scheduler").CosineLRScheduler(
        sgd, t_initial=80, lr_min=last, warmup_t=20, warmup_lr_init=0.0, warmup_prefix=True
    )
    theirs = []
    for step in range(100):
        scheduler.step(step)
        theirs.append(sgd.param_groups[0]["lr"])
    ours = decays.cosine(100, 10, reference(), final_lr=last, warmup=0.2)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def after_warm_up(total, schedule):
    """Zimmer's composition: cosine warm-up from 0 over a tenth of the steps, then a scheduler.

    The first step after the warm-up is the scheduler's own step 1, its step 0 being the peak.
    """
    warm = int(0.1 * total)
    sgd = optimizer(lr=0.0)
    up = lr_scheduler.CosineAnnealingLR(sgd, T_max=warm, eta_min=0.1)
    rise = run(sgd, up, warm + 1)[0]
    sgd = optimizer()
    return np.concatenate([rise[:-1], run(sgd, schedule(sgd, total - warm), total - warm)[0]])


@pytest.mark.parametrize("total", [10, 47, 400])
def test_zimmers_linear(cifar, total):
    expected = after_warm_up(
        total,
        lambda sgd, left: lr_scheduler.LinearLR(
            sgd, start_factor=1.0, end_factor=0.0, total_iters=left
        ),
    )
    np.testing.assert_allclose(published.linear(total, 10, cifar), expected, rtol=1e-11, atol=1e-17)


@pytest.mark.parametrize("total", [10, 47, 400])
def test_zimmers_onecycle(cifar, total):
    expected = after_warm_up(
        total, lambda sgd, left: lr_scheduler.CosineAnnealingLR(sgd, left, eta_min=cifar.last)
    )
    ours = published.onecycle(total, 10, cifar, variant="zimmer")
    np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-17)


@pytest.mark.parametrize("total", [10, 47, 400, 1777, 2500])
def test_zimmers_scaled(cifar, cosine_run, total):
    for dense in (cifar, cosine_run):
        recorded = dense.lr.tolist()
        left = total - int(0.1 * total)
        width = len(recorded) / left
        rescaled = [recorded[int(j * width)] / 0.1 for j in range(left)]
        expected = after_warm_up(
            total, lambda sgd, _, values=rescaled: lr_scheduler.LambdaLR(sgd, values.__getitem__)
        )
        ours = published.scaled(total, 10, dense, variant="zimmer")
        np.testing.assert_allclose(ours, expected, rtol=1e-11, atol=1e-17)


def test_torchs_linear_annealing_is_ours():
    sgd = optimizer()
    scheduler = lr_scheduler.OneCycleLR(
        sgd, 0.1, total_steps=50, pct_start=0.2, anneal_strategy="linear", div_factor=10
    )
    levels, ways = (0.01, 0.1, 0.01 / 1e4), (shapes.linear, shapes.linear)
    ours = shapes.rise_and_fall(50, 0.2 * 50 - 1, 49, levels, ways)
    np.testing.assert_allclose(ours, run(sgd, scheduler, 50)[0], rtol=1e-10)
