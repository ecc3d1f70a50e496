import json

import pytest

from stages.fault import Fault
from stages.reporting.results import read_arm, read_baseline, read_study, remove_stale

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_study_keeps_the_order_of_its_names(make_study):
    study = read_study(make_study(METHODS, SCHEDULES), METHODS[::-1], SCHEDULES[::-1])
    assert study.methods == ["random", "l1"]
    assert study.schedules == ["onecycle", "finetune"]
    assert [arm.schedule for arm in study.of("l1")] == ["onecycle", "finetune"]


def test_a_fault_names_every_missing_file_and_the_command_that_makes_them(make_study):
    folder = make_study(METHODS, SCHEDULES)
    (folder / "arms/l1/onecycle.json").unlink()
    (folder / "baselines/random.json").unlink()
    with pytest.raises(Fault) as fault:
        read_study(folder, METHODS, SCHEDULES)
    text = str(fault.value).replace(f"{folder}/", "")
    assert text == (
        "baselines/random.json, arms/l1/onecycle.json: missing; "
        "run `dvc repro baseline@random evaluate@l1-onecycle`"
    )


def test_a_file_of_another_arm_is_refused(make_study):
    folder = make_study(METHODS, SCHEDULES)
    edit(folder / "arms/l1/onecycle.json", schedule="finetune")
    with pytest.raises(Fault, match="holds the arm l1-finetune, not l1-onecycle"):
        read_arm(folder, "l1", "onecycle")
    edit(folder / "baselines/l1.json", method="random")
    with pytest.raises(Fault, match="holds the method random, not l1"):
        read_baseline(folder, "l1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicates": []}, "replicates: Tuple should have at least 1 item"),
        ({"epochs": "many"}, "epochs: Input should be a valid integer"),
    ],
)
def test_a_malformed_file_is_a_fault_that_names_the_key(make_study, changes, message):
    folder = make_study(METHODS, SCHEDULES)
    edit(folder / "arms/l1/onecycle.json", **changes)
    with pytest.raises(Fault, match=f"onecycle.json: {message}"):
        read_arm(folder, "l1", "onecycle")


def test_two_replicates_of_one_seed_are_refused(make_study):
    folder = make_study(METHODS, SCHEDULES, seeds=1)
    path = folder / "arms/l1/onecycle.json"
    edit(path, replicates=json.loads(path.read_text())["replicates"] * 2)
    with pytest.raises(Fault, match=r"seeds \[0, 0\] are not unique"):
        read_arm(folder, "l1", "onecycle")


def test_stale_arms_go_and_nothing_else(make_study):
    folder = make_study(METHODS, SCHEDULES)
    keepsake = folder / "arms/random/notes.txt"
    keepsake.write_text("mine")
    removed = remove_stale(folder, ["l1"], ["finetune"])
    assert [str(path.relative_to(folder)) for path in removed] == [
        "arms/l1/onecycle.json",
        "arms/random/finetune.json",
        "arms/random/onecycle.json",
        "baselines/random.json",
    ]
    left = sorted(path.name for path in (folder / "arms").rglob("*") if path.is_file())
    assert left == ["finetune.json", "notes.txt"]


def test_a_folder_left_empty_goes_too(make_study):
    folder = make_study(METHODS, SCHEDULES)
    remove_stale(folder, ["l1"], SCHEDULES)
    assert [path.name for path in (folder / "arms").iterdir()] == ["l1"]


def test_nothing_is_stale_where_there_is_nothing(tmp_path):
    assert remove_stale(tmp_path / "none", METHODS, SCHEDULES) == []
