import pytest

from stages.reporting.headline import arm_accuracies, headline
from stages.results.files import read_arm, read_dense, read_pruned, read_results
from tests.reporting.helpers import change, diverge


def metrics(folder):
    return headline(
        read_arm(folder, "l1", "onecycle"), read_pruned(folder, "l1"), read_dense(folder)
    )


def test_the_headline_is_flat_and_in_percent(make_study):
    values = metrics(make_study(["l1"], ["onecycle"]))
    assert set(values) == {
        "dense",
        "dense_sd",
        "pruned",
        "pruned_sd",
        "retrained",
        "retrained_sd",
        "selected",
        "drop",
        "parameters_kept",
        "macs_kept",
        "diverged",
    }
    # replicates 93.4, 93.5, 93.6
    assert (values["dense"], values["dense_sd"]) == (93.5, 0.1)
    assert values["drop"] == pytest.approx(values["dense"] - values["retrained"], abs=1e-3)
    assert (values["parameters_kept"], values["macs_kept"]) == (86.248, 72.430)


def test_what_is_unknown_is_null(make_study):
    values = metrics(make_study(["l1"], ["onecycle"], seeds=1, validation=False))
    assert values["retrained_sd"] is None
    assert values["selected"] is None
    assert values["retrained"] is not None


def test_an_arm_of_which_a_replicate_diverged_has_no_accuracy(make_study):
    folder = make_study(["l1"], ["onecycle"])
    before = metrics(folder)
    diverge(folder, "l1", "onecycle", [2])
    unknown = dict.fromkeys(["retrained", "retrained_sd", "selected", "drop"])
    assert metrics(folder) == before | unknown | {"diverged": 1}
    assert before["diverged"] == 0


def test_every_arm_has_one_accuracy_by_its_label(make_study):
    methods, schedules = ["l1", "random"], ["finetune", "onecycle"]
    folder = make_study(methods, schedules)
    change(folder, "l1", "finetune", test=[0.9, 0.91, 0.932])
    diverge(folder, "random", "onecycle", [2])
    values = arm_accuracies(read_results(folder, methods, schedules))
    assert list(values) == ["l1-finetune", "l1-onecycle", "random-finetune", "random-onecycle"]
    assert (values["l1-finetune"], values["random-onecycle"]) == (91.4, None)
