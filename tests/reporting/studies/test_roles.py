"""Lines play their roles by what they do."""

import pytest

from stages.reporting.studies.roles import by_role, roles
from tests.reporting.studies.conftest import ROLES

NAMES = ["linear", "cosine", "scratch_e", "scratch_b", "adaptive_linear"]
VALUES = [0.91, 0.92, 0.93]


def played(read_study, entries, values=None):
    arms = {("l1", name): (values or {}).get(name, VALUES) for name in entries}
    return roles(read_study("one", arms, entries=entries))


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
        {"curve": "constant", "lr": "max"},
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


def test_of_several_rates_the_smallest_fine_tunes_and_the_best_other_is_tuned(read_study):
    rates = {"linear": 0.05, "cosine": 0.01, "scaled": 0.002}
    entries = {name: {"curve": "constant", "lr": lr} for name, lr in rates.items()}
    values = {"linear": [0.93, 0.94, 0.95], "scaled": [0.97, 0.98, 0.99]}
    assert played(read_study, entries, values) == {"finetune": "scaled", "tuned": "linear"}
    worse = values | {"linear": [0.81, 0.82, 0.83]}
    assert played(read_study, entries, worse)["tuned"] == "cosine"


def test_scores_are_by_role(read_study):
    renamed = {"linear": ROLES["finetune"], "scaled": ROLES["onecycle"], "cosine": {"curve": "rex"}}
    study = read_study("one", {("l1", name): VALUES for name in renamed}, entries=renamed)
    assert [*by_role(study)] == ["onecycle", "finetune"]
    assert (by_role(study).onecycle == study.scores.scaled).all()
