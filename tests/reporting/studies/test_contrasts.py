"""Differences of arms over several studies, against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from stages.reporting.studies.contrasts import (
    between,
    between_roles,
    by_family,
    distinct,
    named,
    runs,
    together,
)
from stages.reporting.studies.roles import cases
from tests.reporting.helpers import diverge
from tests.reporting.studies.conftest import DENSE, ROLES, other

LOW = [0.91, 0.912, 0.911, 0.913]
LONGER = {"finetune": 80, "onecycle": 80}
HIGH = [0.95, 0.951, 0.952, 0.953]


def shifted(values, *by):
    return [round(float(value), 4) for value in np.add(values, by)]


def ahead(read_study, name, low=LOW, high=HIGH, **options):
    study = read_study(name, {("l1", "finetune"): low, ("l1", "onecycle"): high}, **options)
    found = [between(case, "onecycle", "finetune") for case in cases([study])]
    return [one for one in found if one]


def test_a_contrast_is_paired_by_seed(read_study):
    [one] = ahead(read_study, "one")
    assert [*one.points] == pytest.approx([4.0, 3.9, 4.1, 4.0])
    assert (one.case.method, one.case.epochs, one.budget) == ("l1", 72, 45)
    assert replace(one, case=replace(one.case, rounds=3)).budget == 135
    assert one.estimate.mean == pytest.approx(4.0)
    assert one.verdict == "better"


def test_an_arm_that_diverged_has_none(read_study):
    gone = lambda reports: diverge(reports, "l1", "finetune", [1])  # noqa: E731
    assert ahead(read_study, "one", diverging=gone) == []


def test_many_judged_together_are_judged_more_strictly(read_study):
    """Differences 0.1, 0.9, 2, 3: mean 1.5, sd 1.273, t = 2.356 of 3 degrees, p = 0.0998."""
    high = shifted(LOW, 0.001, 0.009, 0.02, 0.03)
    [one] = ahead(read_study, "one", high=high)
    loose = replace(one.study, compare=one.study.compare.model_copy(update={"confidence": 0.89}))
    one = replace(one, case=replace(one.case, study=loose))
    assert one.verdict == "better"
    assert [one.verdict_among(number) for number in (1, 2)] == ["better", "undecided"]


def test_the_same_arms_count_once_however_they_are_written(read_study):
    """Also where another machine moved an image; those of more seeds stay."""
    entries = {"finetune": {"curve": "constant", "lr": 0.001},
               "onecycle": {"curve": "onecycle", "max_lr": 0.1, "warmup": 0.1}}  # fmt: skip
    [long] = ahead(read_study, "long")
    [short] = ahead(read_study, "short", LOW[:3], [0.95, 0.951, 0.9524])
    [written] = ahead(read_study, "written", entries=entries | {"finetune": {"curve": "constant"}})
    [rate] = ahead(read_study, "rate", entries=entries)
    [elsewhere] = ahead(read_study, "elsewhere", **other())
    [longer] = ahead(read_study, "longer", epochs=LONGER)
    found = distinct([short, long, written, rate, elsewhere, longer])
    assert [one.study.name for one in found] == ["elsewhere", "long", "longer", "rate"]


def test_equal_accuracies_of_unlike_arms_are_two(read_study):
    arms = {(method, "finetune"): LOW for method in ("l1", "random")}
    arms |= {(method, "onecycle"): HIGH for method in ("l1", "random")}
    found = [between(case, "onecycle", "finetune") for case in cases([read_study("one", arms)])]
    assert len(distinct(found)) == 2


def test_what_changes_no_dense_network_makes_no_other_set(read_study):
    kept = {"train": DENSE["train"] | {"checkpoint_every": 40}}
    rooted = {"data": DENSE["data"] | {"root": "elsewhere", "validation": 0.1}}
    cases = [*ahead(read_study, "one"), *ahead(read_study, "two", seed=2)]
    cases += [*ahead(read_study, "three", **kept), *ahead(read_study, "four", **rooted)]
    assert len(by_family(cases)) == 1
    assert len(by_family([*cases, *ahead(read_study, "five", **other())])) == 2
    own = {"data": {"source": "folder", "root": "a"}}
    assert len(by_family([*cases, *ahead(read_study, "six", **own)])) == 2


def test_runs_are_means_over_the_cases_of_a_study_then_over_studies(read_study):
    """By seed 4, 3.9, 4.1, 4 of one study, whose seed 4 is its own, and means of two methods."""
    [one] = ahead(read_study, "one", [*LOW, 0.91], [*HIGH, 0.99])
    arms = {(method, "finetune"): [0.90] * 4 for method in ("random", "fpgm")}
    arms |= {("random", "onecycle"): [0.92, 0.93, 0.94, 0.91]}
    arms |= {("fpgm", "onecycle"): [0.96, 0.93, 0.90, 0.93]}
    two = [between(case, "onecycle", "finetune") for case in cases([read_study("two", arms)])]
    [family] = by_family([one, *two])
    both = runs(family)
    assert both.shape == (4, 2)
    means = [(4 + 4) / 2, (3.9 + 3) / 2, (4.1 + 2) / 2, (4 + 2) / 2]
    assert both[:, 0] - both[:, 1] == pytest.approx(means)


def test_a_study_that_leaves_too_few_seeds_is_not_averaged(read_study):
    """Three seeds of a harder study; among studies of few there is no larger one to keep."""
    easy = ahead(read_study, "easy")
    hard = ahead(read_study, "hard", LOW[:3], shifted(LOW[:3], 0.05), epochs=LONGER)
    harder = ahead(read_study, "harder", LOW[:2], shifted(LOW[:2], 0.06), epochs=LONGER)
    assert runs([*hard, *easy]) == pytest.approx(runs(easy))
    assert runs([*harder, *hard]) == pytest.approx(runs(hard))


def test_the_best_other_rate_of_a_case_is_the_choice_among_most_then_of_most_seeds(read_study):
    """Rates of three studies of one case are one rival, met once."""
    rivals = []
    for name, rates, seeds in (("few", [0.05], 3), ("many", [0.01], 4), ("two", [0.01, 0.05], 2)):
        entries = {role: ROLES[role] for role in ("finetune", "onecycle")}
        names = ["linear", "cosine"][: len(rates)]
        for schedule, rate in zip(names, rates, strict=True):
            entries[schedule] = {"curve": "constant", "lr": rate}
        arms = {("l1", schedule): LOW[:seeds] for schedule in entries}
        [case] = cases([read_study(name, arms, entries=entries)])
        rivals.append(between_roles(case, "onecycle", "tuned"))
        assert between_roles(case, "onecycle", "scaled") is None
    assert [one.study.name for one in distinct(rivals[:2])] == ["many"]
    assert [one.study.name for one in distinct(rivals)] == ["two"]


def test_every_set_of_dense_networks_counts_the_same(read_study):
    """4.0 of one set; of the other 1.0 by two studies: the mean is 2.5 and not 2."""
    cases = ahead(read_study, "one")
    for name, start in (("two", LOW), ("three", shifted(LOW, 0.001))):
        cases += ahead(read_study, name, start, shifted(start, 0.01), **other())
    found = together(cases, 0.95, 0.5)
    assert found.difference == pytest.approx(2.5)
    assert found.by_study == pytest.approx([4.0, 1.0])
    assert found.verdict == "better"


def test_images_of_one_s_own_are_called_by_their_study(read_study):
    [one] = ahead(read_study, "one")
    assert named(one.study) == "resnet8 on digits"
    assert named(replace(one.study, data="folder")) == "resnet8 on one"
