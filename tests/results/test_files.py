import json

import pytest

from stages.pipeline.fault import Fault
from stages.results.files import (
    read_arm,
    read_dense,
    read_pruned,
    read_results,
    remove_stale,
    repeated,
    write_result,
)
from tests.results.study import arm, dense, pruned

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]


def edit(path, **changes):
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_results_keep_the_order_of_their_names(make_study):
    results = read_results(make_study(METHODS, SCHEDULES), METHODS[::-1], SCHEDULES[::-1])
    assert results.methods == ["random", "l1"]
    assert results.schedules == ["onecycle", "finetune"]
    assert [arm.schedule for arm in results.of("l1")] == ["onecycle", "finetune"]


def test_what_is_written_is_read(make_study):
    folder = make_study(METHODS, SCHEDULES)
    assert read_dense(folder) == dense()
    assert read_pruned(folder, "random") == pruned("random")
    assert read_arm(folder, "l1", "finetune").replicates == arm("l1", "finetune").replicates


def test_result_files_are_sorted_and_rounded(tmp_path):
    path = tmp_path / "dense.json"
    write_result(path, dense().model_copy(update={"macs": 1 / 3}))
    text = json.loads(path.read_text())
    assert list(text) == sorted(text)
    assert text["macs"] == 0.333333


@pytest.mark.parametrize(("seeds", "expected"), [(1, False), (2, True)])
def test_several_replicates_of_some_arm_are_seen(make_study, seeds, expected):
    results = read_results(make_study(["l1"], SCHEDULES, seeds=seeds), ["l1"], SCHEDULES)
    assert repeated(results) is expected


def test_a_fault_names_every_missing_file_and_the_command_that_makes_them(make_study):
    folder = make_study(METHODS, SCHEDULES)
    (folder / "arms/l1/onecycle.json").unlink()
    (folder / "pruned/random.json").unlink()
    (folder / "dense.json").unlink()
    with pytest.raises(Fault) as fault:
        read_results(folder, METHODS, SCHEDULES)
    text = str(fault.value).replace(f"{folder}/", "")
    assert text == (
        "dense.json, pruned/random.json, arms/l1/onecycle.json: missing; "
        "run `dvc repro evaluate_dense evaluate_pruned@random evaluate@l1-onecycle`"
    )


def test_a_file_of_another_arm_is_refused(make_study):
    folder = make_study(METHODS, SCHEDULES)
    edit(folder / "arms/l1/onecycle.json", schedule="finetune")
    with pytest.raises(Fault, match="holds the arm l1-finetune, not l1-onecycle"):
        read_arm(folder, "l1", "onecycle")
    edit(folder / "pruned/l1.json", method="random")
    with pytest.raises(Fault, match="holds the method random, not l1"):
        read_pruned(folder, "l1")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"replicates": []}, "Value error, an arm has at least one replicate"),
        ({"epochs": "many"}, "epochs.int: Input should be a valid integer"),
        ({"losses": 1}, "losses: Extra inputs are not permitted"),
    ],
)
def test_a_malformed_file_is_a_fault_that_names_the_key(make_study, changes, message):
    folder = make_study(METHODS, SCHEDULES)
    edit(folder / "arms/l1/onecycle.json", **changes)
    with pytest.raises(Fault, match=f"onecycle.json: {message}"):
        read_arm(folder, "l1", "onecycle")


@pytest.mark.parametrize("accuracy", [None, 93.4, -0.1])
def test_an_accuracy_is_a_fraction(make_study, accuracy):
    folder = make_study(["l1"], ["finetune"])
    tree = json.loads((folder / "dense.json").read_text())
    tree["replicates"][1]["test"]["accuracy"] = accuracy
    edit(folder / "dense.json", **tree)
    with pytest.raises(Fault, match=rf"replicates\.1\.test: .*accuracy is {accuracy}; it should"):
        read_dense(folder)


def test_two_replicates_of_one_seed_are_refused(make_study):
    folder = make_study(METHODS, SCHEDULES, seeds=1)
    path = folder / "arms/l1/onecycle.json"
    edit(path, replicates=json.loads(path.read_text())["replicates"] * 2)
    with pytest.raises(Fault, match=r"seeds \[0, 0\] are not unique"):
        read_arm(folder, "l1", "onecycle")


def test_stale_results_go_and_nothing_else(make_study):
    folder = make_study(METHODS, SCHEDULES)
    keepsake = folder / "arms/random/notes.txt"
    keepsake.write_text("mine")
    removed = remove_stale(folder, ["l1"], ["finetune"])
    assert [str(path.relative_to(folder)) for path in removed] == [
        "arms/l1/onecycle.json",
        "arms/random/finetune.json",
        "arms/random/onecycle.json",
        "pruned/random.json",
    ]
    left = sorted(path.name for path in folder.rglob("*") if path.is_file())
    assert left == ["dense.json", "finetune.json", "l1.json", "notes.txt"]


def test_a_folder_left_empty_goes_too(make_study):
    folder = make_study(METHODS, SCHEDULES)
    remove_stale(folder, ["l1"], SCHEDULES)
    assert [path.name for path in (folder / "arms").iterdir()] == ["l1"]


def test_nothing_is_stale_where_there_is_nothing(tmp_path):
    assert remove_stale(tmp_path / "none", METHODS, SCHEDULES) == []


def test_a_key_that_cannot_be_printed_is_one_line(make_study):
    folder = make_study(["l1"], ["finetune"])
    edit(folder / "dense.json", **{"\x1f\n": 1})
    with pytest.raises(Fault) as fault:
        read_dense(folder)
    assert str(fault.value).isprintable()


def test_an_arm_whose_name_cannot_be_printed_is_one_line(make_study):
    folder = make_study(["l1"], ["finetune"])
    edit(folder / "arms/l1/finetune.json", schedule="\x7f\n")
    with pytest.raises(Fault) as fault:
        read_arm(folder, "l1", "finetune")
    assert str(fault.value).isprintable()
