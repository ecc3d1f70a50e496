"""What a curve takes for the options that an entry leaves out: those of README and papers."""

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.schedules.momentum import cycled
from stages.schedules.registry import CURVES, PRESCRIPTIONS, complete

EPOCHS, STEPS = 40, 10
DECAY = {"max_lr": "max", "warmup": 0.0}
DEFAULTS = [
    ("adaptive_linear", {}, {"max_lr": "max", "warmup": 0.1}),
    ("constant", {}, {"lr": "last"}),
    ("cosine", {}, {**DECAY, "final_lr": 0.0}),
    ("exponential", {}, {**DECAY, "final_lr": None}),
    ("linear", {}, {"max_lr": "max", "warmup": 0.1}),
    (
        "onecycle",
        {},
        {
            "variant": "code",
            "max_lr": "max",
            "warmup": 0.1,
            "div_factor": 100,
            "final_div_factor": 100,
        },
    ),
    ("polynomial", {}, {**DECAY, "power": 2.0, "final_lr": 0.0}),
    ("replay", {}, {}),
    ("rex", {}, {**DECAY, "final_lr": 0.0}),
    (
        "scaled",
        {},
        {
            "variant": "code",
            "initial_lr": "last",
            "max_lr": "max",
            "warmup": 0.1,
            "drops": (0.5, 0.75),
            "factor": 0.1,
        },
    ),
    ("step", {"milestones": (20, 30)}, {**DECAY, "factor": 0.1}),
    ("stretch", {}, {}),
    ("warm_restarts", {}, {**DECAY, "final_lr": 0.0, "period": 10, "multiplier": 2}),
    *(
        (
            "warmup_decay",
            decay,
            {
                "initial_lr": "last",
                "max_lr": "max",
                "final_lr": None,
                "warmup": 0.1,
                "warmup_shape": "cosine",
                "decay": "cosine",
                "drops": (0.5, 0.75),
                "factor": 0.1,
                "power": 2.0,
                "granularity": "step",
                **decay,
            },
        )
        for decay in ({}, {"decay": "step"}, {"decay": "polynomial"})
    ),
]


def test_every_curve_is_listed():
    assert {name for name, _, _ in DEFAULTS} == CURVES.keys() - PRESCRIPTIONS.keys()


@pytest.mark.parametrize(("name", "given", "whole"), DEFAULTS)
def test_options_left_out_are_those_of_the_list(name, given, whole, cifar):
    assert complete(name, given) == {**whole, **given}
    curve = CURVES[name]
    short = curve(EPOCHS * STEPS, STEPS, cifar, **given)
    np.testing.assert_array_equal(short, curve(EPOCHS * STEPS, STEPS, cifar, **{**whole, **given}))


NAMED = [
    *((name, given, key) for name, given, whole in DEFAULTS for key in whole if key[-2:] == "lr"),
    ("scaled", {"variant": "zimmer"}, "max_lr"),
    ("onecycle", {"variant": "zimmer"}, "max_lr"),
]


@pytest.mark.parametrize(("name", "given", "option"), NAMED)
def test_a_last_rate_near_0_is_refused_under_the_name_of_its_option(
    name, given, option, cosine_run
):
    above_0 = "initial_lr" in complete(name, given) and "variant" not in given
    first = {"initial_lr": 0.01} if above_0 else {}
    with pytest.raises(Fault, match=f"^{option}: 'last' is .*, because the dense curve ends"):
        CURVES[name](EPOCHS * STEPS, STEPS, cosine_run, **{**given, **first, option: "last"})


def test_a_momentum_that_is_cycled_turns_after_a_tenth_between_95_and_85_hundredths():
    np.testing.assert_array_equal(cycled(200), cycled(200, 0.1, 0.85, 0.95))
    assert (np.argmin(cycled(200)), cycled(200).min(), cycled(200)[0]) == (19, 0.85, 0.95)
