"""Differences of arms over several studies, against numbers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from stages.reporting.studies.contrasts import (
    by_family,
    contrasts,
    distinct,
    named,
    runs,
    together,
)
from tests.reporting.helpers import diverge

LOW = [0.91, 0.912, 0.911, 0.913]
HIGH = [0.95, 0.951, 0.952, 0.953]


def shifted(values, *by):
    return [round(float(value), 4) for value in np.add(values, by)]


def ahead(read_study, name, low=LOW, high=HIGH, **options):
    study = read_study(name, {("l1", "finetune"): low, ("l1", "onecycle"): high}, **options)
    return [*contrasts(study, study.scores, "onecycle", "finetune")]


def test_a_contrast_is_paired_by_seed(read_study):
    [one] = ahead(read_study, "one")
    assert [*one.points] == pytest.approx([4.0, 3.9, 4.1, 4.0])
    assert (one.method, one.epochs, one.budget) == ("l1", 72, 45)
    assert one.estimate.mean == pytest.approx(4.0)
    assert one.verdict == "better"


def test_an_arm_that_diverged_or_is_not_there_has_none(read_study):
    gone = lambda reports: diverge(reports, "l1", "finetune", [1])  # noqa: E731
    assert ahead(read_study, "one", diverging=gone) == []
    study = read_study("two", {("l1", "finetune"): LOW, ("l1", "onecycle"): HIGH})
    assert [*contrasts(study, study.scores, "onecycle", "scaled")] == []


def test_many_judged_together_are_judged_more_strictly(read_study):
    """Differences 0.1, 0.9, 2, 3: mean 1.5, sd 1.273, t = 2.356 of 3 degrees, p = 0.0998."""
    high = shifted(LOW, 0.001, 0.009, 0.02, 0.03)
    [one] = ahead(read_study, "one", high=high)
    loose = replace(one.study, compare=one.study.compare.model_copy(update={"confidence": 0.89}))
    one = replace(one, study=loose)
    assert one.verdict == "better"
    assert [one.verdict_among(number) for number in (1, 2)] == ["better", "undecided"]


def test_the_same_runs_count_once(read_study):
    [short] = ahead(read_study, "short", LOW[:3], HIGH[:3])
    [long] = ahead(read_study, "long")
    [elsewhere] = ahead(read_study, "elsewhere", seed=7)
    [other] = ahead(read_study, "other", high=[0.95, 0.951, 0.952, 0.954])
    [longer] = ahead(read_study, "longer", epochs={"finetune": 80, "onecycle": 80})
    found = distinct([short, long, elsewhere, other, longer])
    assert [one.study.name for one in found] == ["elsewhere", "long", "longer", "other"]


def test_runs_of_a_family_are_means_over_the_seeds_that_all_have(read_study):
    [short] = ahead(read_study, "short", [0.90] * 3, [0.96, 0.95, 0.97])
    [long] = ahead(read_study, "long")
    [family] = by_family([short, long])
    both = runs(family)
    assert both.shape == (3, 2)
    assert both[:, 0] - both[:, 1] == pytest.approx([(4 + 6) / 2, (3.9 + 5) / 2, (4.1 + 7) / 2])


def test_every_set_of_dense_networks_counts_the_same(read_study):
    """4.0 of one set; of the other 1.0 by two studies: the mean is 2.5 and not 2."""
    cases = ahead(read_study, "one")
    for name, start in (("two", LOW), ("three", shifted(LOW, 0.001))):
        cases += ahead(read_study, name, start, shifted(start, 0.01), seed=7)
    found = together(cases, 0.95, 0.5)
    assert found.difference == pytest.approx(2.5)
    assert found.by_study == pytest.approx([4.0, 1.0])
    assert found.verdict == "better"


def test_images_of_one_s_own_are_called_by_their_study(read_study):
    [one] = ahead(read_study, "one")
    assert named(one.study) == "resnet8, digits"
    assert named(replace(one.study, data="folder")) == "resnet8, one"
