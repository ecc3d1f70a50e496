import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.reporting.crossing import changes, is_crossed
from stages.reporting.keys import changed, keys_of, name_of, options_changed, value_of
from stages.retraining.settings import SCHEDULE, Schedule
from stages.schedules.dense import DenseRates
from tests.reporting.helpers import change, report_of

FLAT, CYCLED = [0.9, 0.9, 0.9], [0.95, 0.85, 0.95]
FINETUNE = {"curve": "constant", "lr": "last"}
ONECYCLE = {"curve": "onecycle", "max_lr": 0.1}


def keys(entry, momentum=FLAT, epochs=8, rounds=1):
    """Return the keys of an entry after a dense run at 0.1, and from its middle on 0.01."""
    dense = DenseRates(np.repeat([0.1, 0.01], 160), np.full(320, 0.9), 20)
    try:
        schedule = parse(SCHEDULE, entry)
    except Fault:
        lr = [entry["summit"]]
    else:
        lr = schedule.arm().rates(epochs, 20, schedule.of_dense(dense)).lr
    return keys_of(entry, epochs, lr, momentum, rounds)


CASES = {
    "the curve with its options is one key": (
        FINETUNE,
        {"curve": "step", "milestones": [4]},
        "curve",
    ),
    "so are two options of one curve": (
        {"curve": "warmup_decay", "decay": "step", "final_lr": 0.001},
        {"curve": "warmup_decay", "decay": "cosine", "final_lr": 1e-5},
        "curve",
    ),
    "a default is what it stands for": (
        {"curve": "replay"},
        {
            "curve": "replay",
            "start": "final",
            "trainable": "all",
            "state": "fresh",
            "teacher": None,
        },
        "",
    ),
    "rewound weights come with their momentum": (
        {"curve": "replay"},
        {"curve": "replay", "start": "rewound"},
        "start",
    ),
    "which an arm may drop": (
        {"curve": "replay", "start": "rewound"},
        {"curve": "replay", "start": "rewound", "state": "fresh"},
        "state",
    ),
    "or keep from elsewhere": (
        {"curve": "replay"},
        {"curve": "replay", "state": "kept"},
        "state",
    ),
    "and then both differ in the start alone": (
        {"curve": "replay"},
        {"curve": "replay", "start": "rewound", "state": "fresh"},
        "start",
    ),
    "a teacher is one key": (FINETUNE, {**FINETUNE, "teacher": {"weight": 0.9}}, "teacher"),
    "two keys are two": (
        FINETUNE,
        {**FINETUNE, "average": {"kind": "ema"}, "label_smoothing": 0.1},
        "label_smoothing average",
    ),
}


@pytest.mark.parametrize(("first", "second", "told"), CASES.values(), ids=CASES)
def test_the_keys_that_two_arms_differ_in(first, second, told):
    assert " ".join(changed(keys(first), keys(second))) == told
    assert " ".join(changed(keys(second), keys(first))) == told


def test_every_key_of_an_entry_counts():
    assert set(keys(FINETUNE).values) | {"peak"} == {"curve", *Schedule.model_fields}


PEAKED = {"curve": "onecycle", "peak": 0.2}
ALIKE = {
    "a peak, as an option or of the dense run": ({"curve": "onecycle", "max_lr": 0.2}, PEAKED),
    "the dense run's peak": ({"curve": "onecycle"}, {"curve": "onecycle", "peak": 0.1}),
    "the dense run's, in proportion": ({"curve": "replay"}, {"curve": "replay", "peak": 0.1}),
    "a curve by another name": (FINETUNE, {"curve": "replay"}),
    "parts in another order": (
        {**FINETUNE, "trainable": ["norm", "head", {"blocks": 1}]},
        {**FINETUNE, "trainable": [{"blocks": 1}, "head", "norm"]},
    ),
    "a restart that never comes": (FINETUNE, {**FINETUNE, "restart": "never"}),
}


@pytest.mark.parametrize(("first", "second"), ALIKE.values(), ids=ALIKE)
def test_what_trains_alike_is_no_difference(first, second):
    assert changed(keys(first), keys(second)) == []
    assert changed(keys(second), keys(first)) == []


def test_a_peak_belongs_to_the_curve():
    assert changed(keys(PEAKED), keys({"curve": "onecycle"})) == ["curve"]
    assert changed(keys(FINETUNE, FLAT), keys(PEAKED, CYCLED)) == ["curve"]


def test_the_curve_has_the_momentum_that_it_alone_changes():
    """The same learning rates, with the momentum of one curve or the other, or a named one."""
    flat, cycled = keys(FINETUNE, FLAT), keys({"curve": "replay"}, CYCLED)
    assert changed(flat, cycled) == ["curve"]
    named = keys({"curve": "replay", "momentum": "cycled"}, CYCLED)
    assert changed(flat, named) == ["momentum"]


def test_an_adaptive_curve_is_another_though_recorded_at_scale_1():
    one, other = keys({"curve": "linear"}), keys({"curve": "adaptive_linear"})
    assert one.effects["curve"][1] == other.effects["curve"][1]
    assert changed(one, other) == ["curve"]


def test_a_restart_counts_where_there_are_rounds():
    never = {**FINETUNE, "restart": "never"}
    assert changed(keys(FINETUNE, rounds=3), keys(never, rounds=3)) == ["restart"]
    assert changed(keys(FINETUNE, rounds=3), keys(never, rounds=1)) == []


MOMENTA = {
    "the curve's own is the curve's": (FINETUNE, FLAT, ONECYCLE, CYCLED, "curve"),
    "one that an entry names is a key": (
        FINETUNE,
        FLAT,
        {**ONECYCLE, "momentum": 0.95},
        [0.95] * 3,
        "curve momentum",
    ),
    "but not where the other arm has it too": (
        FINETUNE,
        FLAT,
        {**ONECYCLE, "momentum": 0.9},
        FLAT,
        "curve",
    ),
    "both may name it": (
        {**ONECYCLE, "momentum": 0.9},
        FLAT,
        {**ONECYCLE, "momentum": "cycled"},
        CYCLED,
        "momentum",
    ),
}


@pytest.mark.parametrize(("first", "one", "second", "two", "told"), MOMENTA.values(), ids=MOMENTA)
def test_momentum_belongs_to_the_curve_unless_it_is_named(first, one, second, two, told):
    assert " ".join(changed(keys(first, one), keys(second, two))) == told


def test_epochs_are_those_of_the_run():
    """An entry of 8 epochs and one of retrain.epochs, which is 8."""
    assert changed(keys(FINETUNE), keys({**FINETUNE, "epochs": 8})) == []
    assert changed(keys(FINETUNE), keys({**FINETUNE, "epochs": 16}, epochs=16)) == ["epochs"]


WARM = {"curve": "warmup_decay", "decay": "step"}
OPTIONS = {
    "an option of the curve": (WARM, {**WARM, "decay": "cosine"}, ["decay: step → cosine"]),
    "one at its default": (WARM, {**WARM, "final_lr": 1e-5}, ["final_lr: default → 1e-05"]),
    "the peak": (PEAKED, {"curve": "onecycle"}, ["peak: 0.2 → default"]),
    "a curve with a peak": (
        FINETUNE,
        PEAKED,
        ["curve: constant (lr: last) → onecycle (peak: 0.2)"],
    ),
    "another curve": (FINETUNE, ONECYCLE, ["curve: constant (lr: last) → onecycle (max_lr: 0.1)"]),
    "a curve without options": (
        WARM,
        {"curve": "rex"},
        ["curve: warmup_decay (decay: step) → rex"],
    ),
    "a key": (FINETUNE, {**FINETUNE, "teacher": {"weight": 1}}, ["teacher: default → {weight: 1}"]),
    "an option of it": (
        {**FINETUNE, "teacher": {}},
        {**FINETUNE, "teacher": {"temperature": 4}},
        ["teacher.temperature: default → 4"],
    ),
    "another kind": (
        {**FINETUNE, "average": {"kind": "ema"}},
        {**FINETUNE, "average": {"kind": "swa"}},
        ["average: {kind: ema} → {kind: swa}"],
    ),
    "a list": (FINETUNE, {**FINETUNE, "trainable": ["norm"]}, ["trainable: default → [norm]"]),
    "two": (
        {**WARM, "momentum": 0.9},
        {**WARM, "decay": "cosine", "repair": "batchnorm", "momentum": 0.9},
        ["decay: step → cosine", "repair: default → batchnorm"],
    ),
}


@pytest.mark.parametrize(("first", "second", "told"), OPTIONS.values(), ids=OPTIONS)
def test_the_options_that_two_arms_differ_in(first, second, told):
    places = options_changed(keys(first), keys(second))
    said = [f"{name_of(p)}: {value_of(first, p)} → {value_of(second, p)}" for p in places]
    assert said == told


def test_a_curve_that_is_not_known_any_more_has_the_options_of_its_entry():
    old = {"curve": "forgotten", "summit": 0.1}
    assert options_changed(keys(old), keys({**old, "summit": 0.2})) == [("curve", "summit")]


METHODS, SCHEDULES = ["l1", "random"], ["finetune", "weight_rewind"]
ENTRIES = {
    "finetune": {"curve": "constant", "lr": "last"},
    "weight_rewind": {"start": "rewound", "curve": "replay"},
}


def test_arms_of_a_study_differ_in_pruning_too(make_study):
    report = report_of(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES, ENTRIES)
    arms = report.results.arms
    base = arms["l1", "finetune"]
    assert changes(report, base, base) == []
    assert changes(report, arms["random", "finetune"], base) == ["pruning"]
    differing = changes(report, arms["random", "weight_rewind"], base)
    assert differing == ["pruning", "start", "curve"]
    assert [is_crossed(each) for each in (["curve"], differing)] == [False, True]


def test_an_arm_of_another_budget_than_its_baseline_differs_in_it(make_study):
    folder = make_study(["l1"], SCHEDULES)
    change(folder, "l1", "weight_rewind", epochs=9)
    report = report_of(folder, ["l1"], SCHEDULES, ENTRIES)
    arm = report.results.arms["l1", "weight_rewind"]
    assert changes(report, arm, report.baseline_of(arm)) == ["start", "curve", "epochs"]
