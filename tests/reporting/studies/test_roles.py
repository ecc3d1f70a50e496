"""Lines play their roles by what they do."""

from dataclasses import replace

import pytest

from stages.reporting.studies.roles import cases
from tests.reporting.studies.conftest import ROLES

NAMES = ["linear", "cosine", "scratch_e", "scratch_b", "adaptive_linear"]
VALUES = [0.91, 0.92, 0.93]


def played(read_study, entries, values=None):
    arms = {("l1", name): (values or {}).get(name, VALUES) for name in entries}
    [case] = cases([read_study("one", arms, entries=entries)])
    return case.roles


def test_roles_go_by_settings_not_by_names(read_study):
    renamed = dict(zip(NAMES, ROLES.values(), strict=True))
    assert played(read_study, renamed) == dict(zip(ROLES, renamed, strict=True))


@pytest.mark.parametrize(
    "entry",
    [
        {"curve": "onecycle", "max_lr": 0.05},
        {"curve": "onecycle", "peak": 0.2},
        {"curve": "onecycle", "average": {"kind": "ema"}},
        {"curve": "onecycle", "start": "fresh"},
        {"curve": "replay", "start": "rewound"},
        {"curve": "onecycle", "momentum": 0.99},
        {"curve": "scaled", "max_lr": 0.05},
        {"curve": "cosine"},
    ],
)
def test_what_changes_more_than_the_rates_plays_none(read_study, entry):
    assert played(read_study, {"finetune": ROLES["finetune"], "linear": entry}) == {
        "finetune": "finetune"
    }


@pytest.mark.parametrize("peak", ["max", 0.1])
def test_one_cycle_to_the_dense_peak_is_it_however_that_is_written(read_study, peak):
    assert played(read_study, {"linear": {"curve": "onecycle", "max_lr": peak}}) == {
        "onecycle": "linear"
    }


def test_the_last_rate_fine_tunes_and_the_best_other_on_validation_data_is_tuned(read_study):
    """Test accuracy, which is the other way round, chooses nothing."""
    rates = {"linear": 0.05, "cosine": 0.0001, "scaled": "last", "scratch_e": "max"}
    entries = {name: {"curve": "constant", "lr": lr} for name, lr in rates.items()}
    arms = {("l1", name): VALUES for name in entries}
    [case] = cases([read_study("one", arms, entries=entries)])
    held_out = case.validation.copy()
    for best in ("linear", "cosine", "scratch_e"):
        found = replace(case, validation=held_out + 5 * (held_out.index == best))
        assert found.roles == {"finetune": "scaled", "tuned": best}
    none = replace(case, validation=held_out * float("nan"))
    assert none.roles == {"finetune": "scaled"}
    gone = case.scores.assign(cosine=float("nan"))
    assert replace(case, scores=gone).roles["tuned"] in ("linear", "scratch_e")
    part = held_out.where(held_out.index != "linear")
    assert replace(case, validation=part).roles["tuned"] in ("cosine", "scratch_e")
    alone = replace(none, scores=none.scores[["scaled", "cosine"]])
    assert alone.roles == {"finetune": "scaled", "tuned": "cosine"}


def test_without_the_last_rate_the_smallest_below_the_peak_fine_tunes(read_study):
    rates = {"linear": 0.01, "cosine": 0.002, "scaled": 0.1}
    entries = {name: {"curve": "constant", "lr": lr} for name, lr in rates.items()}
    assert played(read_study, entries)["finetune"] == "cosine"
    assert played(read_study, {"scaled": entries["scaled"]}) == {}


def test_of_several_one_cycles_the_plainest_is_it(read_study):
    entries = {
        "linear": {"curve": "onecycle", "warmup": 0.3},
        "cosine": {"curve": "onecycle", "max_lr": 0.1},
    }
    assert played(read_study, entries) == {"onecycle": "cosine"}


def test_a_schedule_that_is_called_like_another_role_keeps_its_own(read_study):
    entries = {
        "lr_rewind": {"curve": "constant", "lr": 0.01},
        "finetune": {"curve": "replay"},
        "tuned": {"curve": "constant", "lr": "last"},
    }
    assert played(read_study, entries) == {
        "finetune": "tuned", "tuned": "lr_rewind", "lr_rewind": "finetune"
    }  # fmt: skip


def test_a_rate_is_tuned_at_every_budget_by_itself(read_study):
    """0.05 was run for 40 epochs alone."""
    rates = {"finetune": "last", "linear": 0.01, "scaled": "last", "cosine": 0.01, "rex": 0.05}
    names = {"finetune": 8, "linear": 8, "scaled": 40, "cosine": 40, "onecycle": 40}
    entries = {
        name: {"curve": "constant", "lr": lr, "epochs": names[name]}
        for name, lr in zip(names, rates.values(), strict=True)
    }
    arms = {("l1", name): VALUES for name in names} | {("l1", "onecycle"): [0.95, 0.96, 0.97]}
    short, long = cases([read_study("one", arms, names, entries)])
    assert short.roles == {"finetune": "finetune", "tuned": "linear"}
    assert long.roles == {"finetune": "scaled", "tuned": "onecycle"}
