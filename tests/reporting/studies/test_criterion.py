"""What a criterion gains over random pruning under a poor and a good schedule, by hand."""

from dataclasses import replace

import pytest

from stages.reporting.studies import criterion
from stages.reporting.studies.contrasts import distinct
from stages.reporting.studies.forms import method_form
from stages.reporting.studies.roles import cases
from tests.reporting.studies.conftest import ROLES, other

BASE = [0.91, 0.912, 0.911, 0.913]


def gains(*studies):
    return criterion.gains(cases(studies))


def study_of(read_study, name, finetune, onecycle, method="l1", seeds=2, **dense):
    """A study in which the method gains these points over random pruning, seed by seed."""
    arms = {}
    for role, gains in (("finetune", finetune), ("onecycle", onecycle)):
        above = [round(v + g / 100, 4) for v, g in zip(BASE, gains, strict=True)]
        arms[method, role] = above * seeds
        arms["random", role] = BASE * seeds
    return read_study(name, arms, entries={role: ROLES[role] for _, role in arms}, **dense)


def test_it_is_judged_under_both_schedules(read_study):
    found = gains(study_of(read_study, "one", [2, 2.2, 2, 1.8], [0.1, 0.2, 0, 0.1]))
    said = criterion.summary(found, 0.95, 0.5)
    assert said.startswith("`l1` minus random pruning, in points: +2.00 [")
    assert "under fine-tuning (**better**; – by set), +0.10 [" in said
    assert "under one-cycle (**the same**; – by set) and " in said
    assert said.endswith("All criteria under one-cycle, 1 case: 1 the same.")
    text = criterion.text(found, 0.95, 0.5)
    # -1.9, -2, -2, -1.7 twice: the middle half is -2, -2, -1.9, -1.9
    assert "From fine-tuning to one-cycle the gain changes by −1.95 [" in text
    assert "points: it shrinks." in text
    assert (
        "| `one` | `l1` | one-cycle | 86.2 | 72 | 45 | 8 | +0.10 [+0.04, +0.16] | the same |"
        in text
    )


def test_too_few_runs_leave_it_open(read_study):
    study = study_of(read_study, "one", [2, 2.2, 2, 1.8], [0.1, 0.2, 0, 0.1], seeds=1)
    said = criterion.summary(gains(study), 0.95, 0.5)
    assert "under fine-tuning (**open**;" in said
    assert "under one-cycle (**open**;" in said
    assert "points: open." in criterion.text(gains(study), 0.95, 0.5)


def test_random_pruning_of_another_size_is_no_rival(read_study):
    study = study_of(read_study, "one", [2, 2, 2, 2], [1, 1, 1, 1])
    other_size = study.methods["random"] | {"allocation": {"kind": "uniform", "ratio": 0.9}}
    forms = {**study.method_forms, "random": method_form(other_size)}
    found = gains(replace(study, method_forms=forms))
    assert criterion.summary(found, 0.95, 0.5) == criterion.NOTHING
    assert criterion.text(found, 0.95, 0.5) == criterion.NOTHING


def test_the_same_runs_in_two_studies_count_once_and_other_criteria_are_told(read_study):
    same = [study_of(read_study, name, [2, 2, 2, 2], [1, 1, 1, 1]) for name in ("one", "two")]
    third = study_of(read_study, "three", [1, 1, 1, 1], [-2, -2, -2, -2], "fpgm", **other())
    compare = third.compare.model_copy(update={"informed": "l1"})
    found = gains(*same, replace(third, compare=compare))
    assert [one.study.name for one in distinct(found.under("onecycle"))] == ["one", "three"]
    said = criterion.summary(found, 0.95, 0.5)
    assert "`l1` minus random pruning, in points: +2.00 under fine-tuning" in said
    assert "All criteria under one-cycle, 2 cases: 1 better and 1 worse." in said


@pytest.mark.parametrize("role", ["finetune", "onecycle"])
def test_it_takes_the_schedules(read_study, role):
    arms = {(method, role): BASE for method in ("l1", "random")}
    study = read_study("one", arms, entries={role: ROLES[role]})
    said = criterion.summary(gains(study), 0.95, 0.5)
    assert (said == criterion.NOTHING) == (role == "finetune")


def test_what_is_pruned_elsewhere_is_no_rival(read_study):
    """All convolutions of a network against the first of each block."""
    study = study_of(read_study, "one", [2, 2, 2, 2], [1, 1, 1, 1])
    everywhere = study.methods["l1"] | {"scope": "all"}
    forms = {**study.method_forms, "l1": method_form(everywhere)}
    assert gains(replace(study, method_forms=forms)).pairs == []


def test_with_two_random_methods_each_gain_is_over_one_of_them(read_study):
    """`fpgm` is made a second draw, 1 point above `random` under one-cycle alone."""
    study = study_of(read_study, "one", [2, 2, 2, 2], [1, 1, 1, 1])
    arms = {("l1", role): [v + 0.02 for v in BASE] for role in ("finetune", "onecycle")}
    arms |= {("random", role): BASE for role in ("finetune", "onecycle")}
    arms |= {("fpgm", "finetune"): BASE, ("fpgm", "onecycle"): [v + 0.01 for v in BASE]}
    study = read_study("two", arms, entries={r: ROLES[r] for r in ("finetune", "onecycle")})
    second = {**study.method_forms["random"], "iterations": 2}
    found = gains(replace(study, method_forms={**study.method_forms, "fpgm": second}))
    changes = sorted(round(float(one.points.mean()), 3) for one in found.changes())
    assert changes == [-1.0, 0.0]


def test_the_crossed_comparison_is_told(read_study):
    said = criterion.summary(gains(study_of(read_study, "one", [2] * 4, [1] * 4)), 0.95, 0.5)
    assert "+2.00 with fine-tuning against random with one-cycle (**better**" in said
