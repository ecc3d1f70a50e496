"""From entries of params.yaml to arms and budgets."""

import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.retraining.settings import SCHEDULE
from stages.schedules.arm import Arm

ARMS = [
    ({"curve": "constant"}, Arm("final", "constant", {"lr": "last"})),
    (
        {"curve": "constant", "lr": 0.02, "start": "rewound", "momentum": 0.5, "epochs": 7},
        Arm("rewound", "constant", {"lr": 0.02}, 0.5),
    ),
    (
        {"curve": "cosine", "start": "fresh", "momentum": "cycled"},
        Arm("fresh", "cosine", {"max_lr": "max", "final_lr": 0.0}, "cycled"),
    ),
]


@pytest.mark.parametrize(("given", "expected"), ARMS)
def test_an_entry_names_a_start_a_curve_its_options_and_a_momentum(given, expected):
    arm = parse(SCHEDULE, given).arm()
    assert (arm.start, arm.curve, arm.momentum) == (
        expected.start,
        expected.curve,
        expected.momentum,
    )
    assert expected.options.items() <= arm.options.items()
    assert not arm.options.keys() & {"curve", "start", "momentum", "epochs"}


@pytest.mark.parametrize(
    ("given", "expected"), [({}, 6), ({"epochs": 9}, 9), ({"epochs": "dense"}, 40)]
)
def test_a_budget_is_its_own_or_that_of_all_or_the_dense_runs(given, expected):
    entry = parse(SCHEDULE, {"curve": "constant", **given})
    assert entry.budget(6, 40, 2.5) == expected


def test_a_budget_may_be_that_of_all_rounds():
    entry = parse(SCHEDULE, {"curve": "constant", "epochs": {"total": 7}})
    budget = entry.budget(6, 40, 2.5)
    assert (budget, entry.split(budget, 1), entry.split(budget, 3)) == (7, (7,), (2, 2, 3))
    each = parse(SCHEDULE, {"curve": "constant", "epochs": 7})
    assert each.split(7, 3) == (7, 7, 7)


def test_a_budget_may_cost_what_dense_training_did():
    """Scratch-B (Liu et al. 2019): a network of 1 / 2.5 of the MACs trains 2.5 times as long."""
    entry = parse(SCHEDULE, {"curve": "constant", "epochs": "dense_macs"})
    assert entry.budget(6, 40, 2.5) == 100


@pytest.mark.parametrize(
    ("dense_epochs", "ratio", "retraining", "of_liu", "of_wang"),
    [
        (160, 125.5 / 90.9, 40, 221, 261),  # ResNet-56-B of PFEC: -27.6 % MACs
        (90, 2.0, 90, 180, 270),
        (20, 1.0, 8, 20, 28),
        (10, 1.25, 3, 13, 16),  # 12.5, halves up
    ],
)
def test_scratch_b_has_two_readings(dense_epochs, ratio, retraining, of_liu, of_wang):
    """E F1/F2 (Liu et al. 2019), and E F1/F2 + T (Wang et al. 2023): 160 x 1.3806 is 220.9."""
    for name, expected in (("dense_macs", of_liu), ("dense_macs_and_retraining", of_wang)):
        entry = parse(SCHEDULE, {"curve": "stretch", "start": "fresh", "epochs": name})
        assert entry.budget(retraining, dense_epochs, ratio) == expected


@pytest.mark.parametrize("key", [{"start": "middle"}, {"momentum": 1}, {"epochs": 0}])
def test_what_no_schedule_can_have_is_refused_by_name(key):
    with pytest.raises(Fault, match=next(iter(key))):
        parse(SCHEDULE, {"curve": "constant", **key})
