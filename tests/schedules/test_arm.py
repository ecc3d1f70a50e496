import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.schedules.arm import Arm, rewind_epoch, scratch_b_epochs
from stages.schedules.dense import DenseRates
from stages.schedules.momentum import constant, cycled, replayed
from stages.schedules.registry import ADAPTIVE, CURVES, complete, learning_rates

STEPS = 10


@pytest.fixture
def rising(cifar):
    """The CIFAR run with a momentum that differs at every step."""
    return DenseRates(cifar.lr, np.linspace(0.5, 0.95, len(cifar.lr)), STEPS)


def momentum(dense, name, options=None, given=None):
    return Arm("final", name, options or {}, given).rates(72, STEPS, dense).momentum


def test_rates_know_the_steps_of_an_epoch(rising):
    rates = Arm("final", "constant").rates(72, STEPS, rising)
    assert (rates.steps_per_epoch, rates.epochs, len(rates.lr)) == (STEPS, 72, 72 * STEPS)


def test_a_momentum_is_replayed_no_longer_than_the_dense_run(rising):
    with pytest.raises(Fault, match=r"^replay: 161 epochs, more than the dense run's 160;"):
        replayed(161 * STEPS, rising)


def test_most_curves_hold_the_momentum_the_dense_run_ended_with(rising):
    for name in ("constant", "scaled", "linear", "adaptive_linear", "cosine", "warmup_decay"):
        assert set(momentum(rising, name)) == {0.95}
    assert set(momentum(rising, "onecycle", {"variant": "zimmer"})) == {0.95}


def test_replay_and_stretch_take_the_dense_momentum_along(rising):
    assert (momentum(rising, "replay") == rising.momentum[-720:]).all()
    stretched = Arm("fresh", "stretch").rates(320, STEPS, rising).momentum
    assert (stretched[::2] == rising.momentum).all()


# N = 720: low on step 71, half-way up at 71 + 324, high on 719
def test_onecycle_cycles_its_momentum(cifar):
    values = momentum(cifar, "onecycle")
    assert values[[0, 71, 395, 719]] == pytest.approx([0.95, 0.85, 0.90, 0.95], rel=1e-15)
    assert (np.diff(values[:72]) < 0).all()
    assert (np.diff(values[71:]) > 0).all()


def test_an_arms_momentum_overrides_the_curves_own(cifar):
    assert set(momentum(cifar, "onecycle", given=0.9)) == {0.9}
    assert set(momentum(cifar, "replay", given=0.8)) == {0.8}
    assert (momentum(cifar, "scaled", given="cycled") == cycled(720, 0.1)).all()


def test_cycled_momentum_follows_the_curves_warm_up(cifar):
    assert np.argmin(momentum(cifar, "onecycle", {"warmup": 0.25})) == 179
    assert np.argmin(momentum(cifar, "scaled", {"warmup": 0.5}, "cycled")) == 359
    assert np.argmin(momentum(cifar, "constant", given="cycled")) == 71
    assert np.argmin(momentum(cifar, "cosine", given="cycled")) == 0


def test_momentum_ends_are_parameters():
    assert (cycled(100, 0.2, low=0.5, high=0.7)[[0, 19, 99]] == [0.7, 0.5, 0.7]).all()
    assert constant(3, 0.9).tolist() == [0.9] * 3


def test_an_arm_gives_both_curves_for_its_whole_budget(cifar):
    drawn = Arm("final", "constant", {"lr": 0.01}).rates(3, STEPS, cifar)
    lr, held = drawn.lr, drawn.momentum
    assert lr.tolist() == [0.01] * 30
    assert held.tolist() == [0.9] * 30


def test_only_rewound_arms_have_a_rewind_epoch():
    assert rewind_epoch(Arm("rewound", "replay"), 40, 160) == 120
    assert rewind_epoch(Arm("rewound", "replay"), 160, 160) == 0
    assert rewind_epoch(Arm("final", "replay"), 40, 160) is None
    assert rewind_epoch(Arm("fresh", "stretch"), 400, 160) is None
    for epochs in (0, 161):
        with pytest.raises(Fault, match=f"epochs: {epochs} .* allowed: 1 to 160"):
            rewind_epoch(Arm("rewound", "replay"), epochs, 160)


# 125.5 M of 90.9 M: 160 * 1.3806 = 220.9; halves up: 3 * 1.5 = 4.5
@pytest.mark.parametrize(
    ("epochs", "ratio", "expected"), [(160, 125.5 / 90.9, 221), (3, 1.5, 5), (160, 1.0, 160)]
)
def test_scratch_b_trains_as_many_flops_as_the_dense_run(epochs, ratio, expected):
    assert scratch_b_epochs(epochs, ratio) == expected


@pytest.mark.parametrize("ratio", [0.9, 0.0, -1.0, float("nan"), float("inf")])
def test_scratch_b_refuses_what_is_no_ratio(ratio):
    with pytest.raises(Fault, match="scratch_b: "):
        scratch_b_epochs(160, ratio)


def test_a_curve_is_called_by_its_name(cifar):
    assert (learning_rates("linear", 40, STEPS, cifar) == CURVES["linear"](40, STEPS, cifar)).all()


def test_unknown_names_options_and_lengths_are_refused(cifar):
    with pytest.raises(Fault, match=r"curve: 'onecicle'; allowed: .*onecycle"):
        learning_rates("onecicle", 10, STEPS, cifar)
    with pytest.raises(Fault, match=r"max: no option of curve linear; allowed: max_lr, warmup"):
        learning_rates("linear", 10, STEPS, cifar, max=0.1)
    with pytest.raises(Fault, match="milestones: missing; curve step needs it"):
        learning_rates("step", 10, STEPS, cifar)
    with pytest.raises(Fault, match="linear: 0 steps"):
        learning_rates("linear", 0, STEPS, cifar)


def test_missing_options_are_completed_by_their_defaults():
    assert complete("linear", {"warmup": 0.2}) == {"max_lr": "max", "warmup": 0.2}


def test_adaptive_linear_alone_is_scaled_per_replicate():
    assert set(CURVES) >= ADAPTIVE == {"adaptive_linear"}


def test_an_arm_of_one_epoch_goes_back_by_one():
    assert rewind_epoch(Arm("rewound", "replay"), 1, 160) == 159
