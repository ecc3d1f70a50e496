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


@pytest.mark.parametrize("key", [{"start": "middle"}, {"momentum": 1}, {"epochs": 0}])
def test_what_no_schedule_can_have_is_refused_by_name(key):
    with pytest.raises(Fault, match=next(iter(key))):
        parse(SCHEDULE, {"curve": "constant", **key})
