"""Golden values of the prescriptions: their makers' numbers after a dense run of their kind.

`cifar` is 160 epochs at 0.1, times 0.1 at 80 and 120, of 10 steps each.
"""

import re

import numpy as np
import pytest

from stages.schedules.arm import Arm
from stages.schedules.prescriptions import (
    asp,
    cap,
    cap_gradual,
    ice,
    isomorphic_convnext,
    isomorphic_deit,
    isomorphic_resnet,
    minitron,
    modelopt,
    nni,
    pfec,
    torch_pruning,
    torch_pruning_vit,
    torch_pruning_yolo,
)
from stages.schedules.registry import PRESCRIPTIONS

STEPS = 10


def epochs_of(curve, epochs, dense, **options):
    """The learning rate of each epoch's first step."""
    return curve(epochs * STEPS, STEPS, dense, **options)[::STEPS]


@pytest.mark.parametrize(("curve", "share"), [(asp, 1), (modelopt, 0.5), (torch_pruning_yolo, 0.1)])
def test_the_dense_schedule_again_at_a_share(curve, share, cifar):
    assert curve(1600, STEPS, cifar) == pytest.approx(share * cifar.lr)
    # 40 epochs are a quarter of it: drops at 20 and 30
    lr = epochs_of(curve, 40, cifar)
    assert lr == pytest.approx(share * np.repeat([0.1, 0.01, 0.001], [20, 10, 10]))


def test_modelopt_allows_up_to_the_whole_rate(cifar):
    assert (modelopt(1600, STEPS, cifar, share=1.0) == cifar.lr).all()


@pytest.mark.parametrize(
    ("curve", "epochs", "drops"),
    [
        (torch_pruning, 100, [60, 80]),  # its own script
        (isomorphic_resnet, 100, [30, 60, 90]),
        (nni, 160, [80, 120]),
        (nni, 8, [4, 6]),
        (nni, 4, [2, 3]),
    ],
)
def test_a_tenth_of_the_peak_with_drops(curve, epochs, drops, cifar):
    expected = np.full(epochs, 0.01)
    for drop in drops:
        expected[drop:] /= 10
    lr = curve(epochs * STEPS, STEPS, cifar)
    assert lr == pytest.approx(np.repeat(expected, STEPS))


@pytest.mark.parametrize(
    ("curve", "drops"),
    [(torch_pruning, [6, 8]), (isomorphic_resnet, [3, 6, 9]), (nni, [5, 7])],
)
def test_one_epoch_trains_at_the_peak_and_has_every_drop(curve, drops, cifar):
    lr = curve(STEPS, STEPS, cifar)
    assert lr[0] == pytest.approx(0.01)
    assert (np.flatnonzero(np.diff(lr)) + 1).tolist() == drops


@pytest.mark.parametrize(
    ("curve", "peak"),
    [(torch_pruning_vit, 0.01), (isomorphic_deit, 0.025), (isomorphic_convnext, 0.1)],
)
def test_cosines_without_warm_up(curve, peak, cifar):
    # (1 + cos(pi k/N))/2 at a quarter, a half and three quarters: 0.853553, 0.5, 0.146447
    lr = curve(400, STEPS, cifar)
    assert lr[[0, 100, 200, 300]] == pytest.approx(peak * np.array([1, 0.8535534, 0.5, 0.1464466]))


def test_minitron_falls_from_a_fifth_to_a_fiftieth_after_100_steps(cifar):
    lr = minitron(20_100, STEPS, cifar)
    assert lr[[0, 50, 100, 10_100]] == pytest.approx([0, 0.01, 0.02, 0.011])
    assert lr[-1] == pytest.approx(0.002 + 0.018 / 20_000)


@pytest.mark.parametrize(("steps", "warmup"), [(50, 0), (100, 1), (1000, 10)])
def test_minitrons_warm_up_is_at_most_a_hundredth_of_the_run(steps, warmup, cifar):
    assert np.argmax(minitron(steps, STEPS, cifar)) == warmup


def test_cap_falls_from_a_tenth_to_a_hundredth(cifar):
    lr = cap(200, STEPS, cifar)
    assert lr[[0, 100]] == pytest.approx([0.01, 0.0055])
    assert lr[-1] == pytest.approx(0.001 + 0.009 / 200)


def test_cap_gradual_has_five_teeth(cifar):
    lr = cap_gradual(100 * STEPS, STEPS, cifar)
    assert np.flatnonzero(np.diff(lr) > 0).tolist() == [199, 399, 599, 799]
    assert lr[[0, 200, 300, 999]] == pytest.approx([0.05, 0.05, 0.0255, 0.001 + 0.049 / 200])
    assert len(cap_gradual(7, 1, cifar)) == 7


def test_constants(cifar):
    assert set(pfec(50, STEPS, cifar)) == {0.001}
    # 1e-3 - 7.5e-4/(1 + 1^50) = 6.25e-4 at the end; far below it 2.5e-4
    assert ice(5, STEPS, cifar) == pytest.approx(np.full(5, 6.25e-4))
    assert ice(5, STEPS, cifar, share=0.25) == pytest.approx(np.full(5, 2.5e-4))


@pytest.mark.parametrize("name", PRESCRIPTIONS)
@pytest.mark.parametrize("epochs", [1, 3, 240])
def test_every_budget_works_and_none_goes_above_the_dense_peak(name, epochs, cifar):
    rates = Arm("final", name).rates(epochs, STEPS, cifar)
    assert rates.epochs == epochs
    assert np.isfinite(rates.lr).all()
    assert 0 <= rates.lr.min() <= rates.lr.max() <= cifar.max


@pytest.mark.parametrize("name", PRESCRIPTIONS)
def test_every_prescription_names_its_source(name):
    source = r"\((VainF|NVIDIA|IST-DASLab|microsoft|gicLAB)/[\w-]+, \S|et al\. \d{4}, section"
    assert re.search(source, " ".join(PRESCRIPTIONS[name].__doc__.split()))
