import json

import pytest

from stages.fault import Fault
from stages.params.compare import Compare
from stages.reporting.families import families, representatives
from stages.reporting.findings import choose, cross, find, verdicts
from stages.reporting.results import read_study

METHODS = ["l1", "random"]
SETTINGS = Compare(baseline="finetune", careful="l1", random="random")


def change(folder, method, schedule, epochs=None, start=None, test=None, validation=None):
    """Set the budget, the start or the last accuracies (one per replicate) of an arm."""
    path = folder / "arms" / method / f"{schedule}.json"
    arm = json.loads(path.read_text())
    arm["epochs"] = epochs or arm["epochs"]
    arm["start"] = start or arm["start"]
    for split, values in (("test", test), ("validation", validation)):
        for run, value in zip(arm["replicates"], values or [], strict=False):
            run["last"][split]["accuracy"] = value
    path.write_text(json.dumps(arm))


def test_the_best_schedule_is_chosen_on_validation_not_on_test(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(METHODS, schedules)
    change(folder, "l1", "scaled", test=[0.5] * 3, validation=[0.99] * 3)
    change(folder, "l1", "onecycle", test=[0.99] * 3, validation=[0.5] * 3)
    assert choose(read_study(folder, METHODS, schedules), SETTINGS) == ("scaled", "validation")


def test_without_validation_the_choice_is_made_on_test_and_says_so(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(METHODS, schedules, validation=False)
    change(folder, "l1", "scaled", test=[0.99] * 3)
    assert choose(read_study(folder, METHODS, schedules), SETTINGS) == ("scaled", "test")


def test_another_budget_and_a_fresh_start_are_not_chosen(make_study):
    schedules = ["finetune", "lr_rewind", "onecycle", "linear"]
    folder = make_study(METHODS, schedules)
    change(folder, "l1", "onecycle", validation=[0.99] * 3, epochs=160)
    change(folder, "l1", "linear", validation=[0.99] * 3, start="fresh")
    change(folder, "l1", "lr_rewind", validation=[0.95] * 3)
    assert choose(read_study(folder, METHODS, schedules), SETTINGS)[0] == "lr_rewind"


def test_arms_of_unequal_budget_never_meet(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "onecycle", epochs=40)
    found = verdicts(read_study(folder, ["l1"], schedules), 0.95)
    assert [item.epochs for item in found] == [40, 72]
    assert [item.contest.best for item in found] == ["onecycle", "scaled"]
    assert found[0].contest.margins == {}


def test_the_crossed_comparison_stands_beside_those_of_one_schedule(make_study):
    schedules = ["finetune", "onecycle"]
    folder = make_study(METHODS, schedules)
    change(folder, "l1", "finetune", test=[0.90, 0.91, 0.92])
    change(folder, "l1", "onecycle", test=[0.94, 0.94, 0.94], validation=[0.94] * 3)
    change(folder, "random", "finetune", test=[0.89, 0.90, 0.91])
    change(folder, "random", "onecycle", test=[0.93, 0.93, 0.93])
    crossed = cross(read_study(folder, METHODS, schedules), SETTINGS)
    assert crossed.crossed.difference.mean == pytest.approx(2)
    assert crossed.same_baseline.difference.mean == pytest.approx(-1)
    assert crossed.same_best.difference.mean == pytest.approx(-1)
    assert crossed.crossed.first == ("random", "onecycle")
    assert crossed.crossed.second == ("l1", "finetune")


def test_nothing_is_crossed_when_the_baseline_is_the_best(make_study):
    schedules = ["finetune", "onecycle"]
    folder = make_study(METHODS, schedules)
    change(folder, "l1", "finetune", validation=[0.99] * 3)
    crossed = cross(read_study(folder, METHODS, schedules), SETTINGS)
    assert (crossed.best, crossed.crossed, crossed.same_best) == ("finetune", None, None)


def test_one_method_in_both_roles_compares_no_methods(make_study):
    study = read_study(make_study(["l1"], ["finetune"]), ["l1"], ["finetune"])
    assert cross(study, SETTINGS.model_copy(update={"random": "l1"})) is None


@pytest.mark.parametrize(("key", "known"), [("baseline", "finetune"), ("careful", "l1, random")])
def test_an_unknown_name_is_a_fault_with_the_known_ones(make_study, key, known):
    study = read_study(make_study(METHODS, ["finetune"]), METHODS, ["finetune"])
    with pytest.raises(Fault, match=f"compare.{key}: 'none' is none of {known}"):
        find(study, SETTINGS.model_copy(update={key: "none"}), {"finetune": {}})


def test_schedules_that_differ_in_epochs_alone_are_one_line():
    lines = families(
        {
            "finetune": {"curve": "constant", "lr": 0.1},
            "onecycle_40": {"curve": "onecycle", "epochs": 40},
            "onecycle_72": {"curve": "onecycle", "epochs": 72},
            "finetune_low": {"curve": "constant", "lr": 0.01},
        }
    )
    assert lines == {
        "finetune": ["finetune"],
        "onecycle": ["onecycle_40", "onecycle_72"],
        "finetune_low": ["finetune_low"],
    }


@pytest.mark.parametrize(
    ("names", "label"),
    [
        (("scratch_e", "scratch_b"), "scratch"),
        (("cycle5", "cycle17"), "cycle"),
        (("cycle", "cycle_long"), "cycle"),
        (("slow_cycle_5", "slow_cycle_17"), "slow_cycle"),
        (("constant", "cosine"), "constant"),
    ],
)
def test_a_line_is_called_by_what_its_names_begin_with(names, label):
    entries = {name: {"curve": "a", "epochs": i} for i, name in enumerate(names)}
    assert list(families(entries)) == [label]


def test_lines_with_one_label_keep_their_own_names():
    lines = families(
        {
            "onecycle": {"curve": "other"},
            "onecycle_40": {"curve": "onecycle", "epochs": 40},
            "onecycle_72": {"curve": "onecycle", "epochs": 72},
        }
    )
    assert lines == {"onecycle": ["onecycle"], "onecycle_40": ["onecycle_40", "onecycle_72"]}


def test_a_line_is_shown_at_the_budget_nearest_to_the_baseline(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "scaled", epochs=200)
    change(folder, "l1", "onecycle", epochs=80)
    study = read_study(folder, ["l1"], schedules)
    lines = {"finetune": ["finetune"], "cycle": ["scaled", "onecycle"]}
    assert representatives(study, lines, "finetune") == ["finetune", "onecycle"]


def test_a_path_is_walked_in_consecutive_differences(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "finetune", test=[0.90, 0.91, 0.92])
    change(folder, "l1", "scaled", test=[0.91, 0.92, 0.93])
    change(folder, "l1", "onecycle", test=[0.93, 0.94, 0.95])
    entries = {
        "finetune": {"curve": "warmup_decay", "decay": "constant"},
        "scaled": {"curve": "warmup_decay", "decay": "step"},
        "onecycle": {"curve": "warmup_decay", "decay": "step", "final_lr": 1e-5},
    }
    settings = Compare(baseline="finetune", careful="l1", random="l1", path=schedules)
    found = find(read_study(folder, ["l1"], schedules), settings, entries).ablations
    (way,) = found
    assert [step.difference.mean for step in way.steps] == pytest.approx([1, 2])
    assert way.whole.difference.mean == pytest.approx(3)
    assert [step.changes for step in way.steps] == [
        ["decay: constant → step"],
        ["final_lr: default → 1e-05"],
    ]
    # two steps hold together at 95 % when each holds at 97.5 %
    assert [step.confidence for step in way.steps] == pytest.approx([0.975, 0.975])


def test_an_arm_is_held_against_the_baseline_of_its_budget(make_study):
    schedules = ["finetune", "scaled", "onecycle", "linear"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "scaled", epochs=40)
    change(folder, "l1", "onecycle", epochs=40)
    entries = {
        "finetune": {"curve": "a"},
        "scaled": {"curve": "a", "epochs": 40},
        "onecycle": {"curve": "b", "epochs": 40},
        "linear": {"curve": "c", "epochs": 20},
    }
    change(folder, "l1", "linear", epochs=20)
    settings = Compare(baseline="finetune", careful="l1", random="l1")
    found = find(read_study(folder, ["l1"], schedules), settings, entries)
    arms = {name: found.study.arms["l1", name] for name in schedules}
    assert found.baseline_of(arms["onecycle"]) is arms["scaled"]
    assert found.baseline_of(arms["linear"]) is arms["finetune"]
    assert found.to_baseline(arms["scaled"]) is None
