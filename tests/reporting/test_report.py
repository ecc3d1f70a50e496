import json

import pytest

from stages.pipeline.fault import Fault
from stages.reporting.lines import lines_of
from tests.reporting.helpers import change, report_of

METHODS = ["l1", "random"]


def test_arms_of_unequal_budget_never_meet(make_study):
    schedules = ["finetune", "scaled", "onecycle"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "onecycle", epochs=40)
    cells = report_of(folder, ["l1"], schedules).cells
    assert [cell.epochs for cell in cells] == [40, 72]
    assert [cell.contest.best for cell in cells] == ["onecycle", "scaled"]
    assert cells[0].contest.margins == {}


@pytest.mark.parametrize(("rounds", "winner"), [(1, True), (3, False)])
def test_without_rounds_an_arm_that_never_restarts_is_no_rival(make_study, rounds, winner):
    """On a method that prunes once both are one network, which wins or loses as one."""
    schedules = ["finetune", "onecycle", "scaled"]
    folder = make_study(["l1"], schedules)
    arms = folder / "arms" / "l1"
    same = json.loads((arms / "onecycle.json").read_text()) | {"schedule": "scaled"}
    (arms / "scaled.json").write_text(json.dumps(same))
    for name in schedules:
        change(folder, "l1", name, rounds=rounds)
    entries = {name: {"curve": "onecycle"} for name in schedules}
    entries["scaled"] = {"curve": "onecycle", "restart": "never"}
    (cell,) = report_of(folder, ["l1"], schedules, entries).cells
    assert (cell.contest.winner is not None) is winner


@pytest.mark.parametrize(
    ("key", "known"), [("baseline", "finetune"), ("informed", "l1, random"), ("path", "finetune")]
)
def test_an_unknown_name_is_a_fault_with_the_known_ones(make_study, key, known):
    folder = make_study(METHODS, ["finetune"])
    with pytest.raises(Fault, match=f"compare.{key}: 'none' is none of {known}"):
        report_of(folder, METHODS, ["finetune"], **{key: ("none",) if key == "path" else "none"})


def test_schedules_that_differ_in_epochs_alone_are_one_line():
    lines = lines_of(
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
    assert list(lines_of(entries)) == [label]


def test_lines_with_one_label_keep_their_own_names():
    lines = lines_of(
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
    entries = {
        "finetune": {"curve": "a"},
        "scaled": {"curve": "b", "epochs": 200},
        "onecycle": {"curve": "b", "epochs": 80},
    }
    assert report_of(folder, ["l1"], schedules, entries).representatives == ["finetune", "onecycle"]


def test_an_arm_is_held_against_the_baseline_of_its_budget(make_study):
    schedules = ["finetune", "scaled", "onecycle", "linear"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "scaled", epochs=40)
    change(folder, "l1", "onecycle", epochs=40)
    change(folder, "l1", "linear", epochs=20)
    entries = {
        "finetune": {"curve": "a"},
        "scaled": {"curve": "a", "epochs": 40},
        "onecycle": {"curve": "b", "epochs": 40},
        "linear": {"curve": "c", "epochs": 20},
    }
    report = report_of(folder, ["l1"], schedules, entries)
    arms = {name: report.results.arms["l1", name] for name in schedules}
    assert report.baseline_of(arms["onecycle"]) is arms["scaled"]
    assert report.baseline_of(arms["linear"]) is arms["finetune"]
    assert report.to_baseline(arms["scaled"]) is None


def test_winners_are_those_of_any_budget(make_study):
    schedules = ["finetune", "scaled", "onecycle", "linear"]
    folder = make_study(["l1"], schedules)
    change(folder, "l1", "finetune", test=[0.90, 0.91, 0.92])
    change(folder, "l1", "scaled", test=[0.92, 0.93, 0.94])
    change(folder, "l1", "onecycle", test=[0.90, 0.91, 0.92], epochs=40)
    change(folder, "l1", "linear", test=[0.95, 0.90, 0.92], epochs=40)
    assert report_of(folder, ["l1"], schedules).winners("l1") == {"scaled"}


def test_arms_that_train_differently_are_no_twins_where_they_score_alike(make_study):
    """One curve and start, and by chance one accuracy in every replicate."""
    schedules = ["finetune", "onecycle", "scaled", "linear"]
    folder = make_study(["l1"], schedules)
    points = json.loads((folder / "arms/l1/onecycle.json").read_text())["points"]
    change(folder, "l1", "finetune", test=[0.90, 0.91, 0.92])
    for name in schedules[1:]:
        change(folder, "l1", name, test=[0.92, 0.93, 0.94], start="final", points=points)
    entries = {name: {"curve": "onecycle"} for name in schedules}
    entries["scaled"]["teacher"] = {"weight": 0.5}
    entries["linear"]["weight_decay"] = None
    (cell,) = report_of(folder, ["l1"], schedules, entries).cells
    assert cell.contest.twins == {"onecycle": ["linear"]}


@pytest.mark.parametrize(
    ("keys", "plain"),
    [
        ({}, True),
        ({"weight_decay": None, "teacher": None, "trainable": "all", "peak": None}, True),
        ({"peak": 0.01}, False),
        ({"state": "fresh"}, True),
        ({"state": "kept"}, False),
        ({"start": "rewound", "state": "kept"}, True),
        ({"weight_decay": 0.0}, False),
        ({"trainable": ["norm", {"blocks": 1}]}, False),
    ],
)
def test_a_key_at_its_default_changes_nothing(make_study, keys, plain):
    folder = make_study(["l1"], ["finetune"])
    entries = {"finetune": {"curve": "constant", **keys}}
    assert report_of(folder, ["l1"], ["finetune"], entries).is_plain("finetune") == plain
