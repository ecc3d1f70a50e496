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
    """Of one study 4, 3.9, 4.1 and 4 by seed; of the other 4, 3 and 2, means of two methods.

    Their means are 4 and 3, and so 3.5 together. A seed weighs 1/8 in it by the first study and 1/6
    by the second; of four seeds the pseudo-values move 1/2 and 2/3 as far as the seed.
    """
    [one] = ahead(read_study, "one")
    arms = {(method, "finetune"): [0.90] * 3 for method in ("random", "fpgm")}
    arms |= {("random", "onecycle"): [0.92, 0.93, 0.94], ("fpgm", "onecycle"): [0.96, 0.93, 0.90]}
    two = [between(case, "onecycle", "finetune") for case in cases([read_study("two", arms)])]
    [family] = by_family([one, *two])
    both = runs(family)
    assert both.shape == (4, 2)
    means = [3.5 + 2 / 3, 3.5 - 0.1 / 2, 3.5 + 0.1 / 2 - 2 / 3, 3.5]
    assert both[:, 0] - both[:, 1] == pytest.approx(means)


def test_what_differs_between_studies_is_no_spread_between_seeds(read_study):
    """An easy study of four seeds and a hard one of two, in neither of which anything scatters."""
    flat = [0.9] * 4
    easy = ahead(read_study, "easy", flat, shifted(flat, 0.01))
    hard = ahead(read_study, "hard", flat[:2], shifted(flat[:2], 0.05), epochs=LONGER)
    both = runs([*easy, *hard])
    assert both[:, 0] - both[:, 1] == pytest.approx([3.0] * 4)


def test_the_best_other_rate_of_a_case_is_that_of_the_study_of_most_seeds(read_study):
    """A rate of 0.01 in four seeds and one of 0.05 in three are one rival, met once."""
    arms = {("l1", name): LOW for name in ("finetune", "linear", "onecycle")}
    rivals = []
    for name, rate, seeds in (("few", 0.05, 3), ("many", 0.01, 4)):
        entries = {role: ROLES[role] for role in ("finetune", "onecycle")}
        entries["linear"] = {"curve": "constant", "lr": rate}
        short = {arm: values[:seeds] for arm, values in arms.items()}
        [case] = cases([read_study(name, short, entries=entries)])
        rivals.append(between_roles(case, "onecycle", "tuned"))
        assert between_roles(case, "onecycle", "scaled") is None
    assert [one.study.name for one in distinct(rivals)] == ["many"]


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
