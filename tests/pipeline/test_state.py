import os
from contextlib import suppress

import pytest

from stages.pipeline.recovery import locked, recoverable
from stages.pipeline.state import free, kept, unneeded


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    folder = tmp_path / "state"
    monkeypatch.setenv("AFTERPRUNE_STATE", str(folder))
    return folder


def finish(key, text="result"):
    with recoverable(key, lambda: None) as work:
        (work.folder / "networks").mkdir()
        (work.folder / "networks" / "file").write_text(text)


def begin(key):
    with suppress(KeyError), recoverable(key, lambda: None) as work:
        (work.folder / "progress_1.safetensors").write_text("progress")
        raise KeyError


def age(state, **seconds):
    for name, when in seconds.items():
        os.utime(state / f"train-0-{name}", (when, when))


def listed(*recorded):
    return kept(lambda file: file.read_text() in recorded)


def kinds(found):
    return {each.path.name: each.kind for each in found}


def test_nothing_is_kept_before_the_first_run(state):
    assert listed() == []
    assert not state.exists()


def test_it_says_what_each_folder_is(state):
    finish("train-0-a", "recorded")
    finish("train-1-a", "not recorded")
    begin("train-2-a")
    finish("train-3-a")
    (state / "train-4-a.lock").touch()
    with locked(state / "train-3-a", None):
        assert kinds(listed("recorded")) == {
            "train-0-a": "recorded",
            "train-1-a": "finished",
            "train-2-a.partial": "unfinished",
            "train-3-a": "used",
            "train-4-a.lock": "lock",
        }


def test_the_size_is_that_of_the_files(state):
    finish("train-0-a", "12345")
    (found,) = listed()
    assert found.size == 5 + (state / "train-0-a" / "manifest.json").stat().st_size
    assert found.alone == found.size


def test_what_is_linked_elsewhere_is_not_its_alone(state, tmp_path):
    finish("train-0-a", "12345")
    (tmp_path / "output").hardlink_to(state / "train-0-a/networks/file")
    (found,) = listed()
    assert found.size - found.alone == 5


def test_links_inside_a_folder_count_once(state):
    with recoverable("train-0-a", lambda: None) as work:
        for name in ("last", "selected"):
            (work.folder / name).write_text("12345")
    (found,) = listed()
    manifest = (state / "train-0-a" / "manifest.json").stat().st_size
    assert (found.size, found.alone) == (5 + manifest, 5 + manifest)


@pytest.mark.parametrize(
    ("recorded", "ages", "freed"),
    [
        ({"a"}, {"a": 2, "b": 1, "c": 1}, {"b", "c"}),  # older than what is recorded
        ({"a"}, {"a": 1, "b": 2, "c": 3}, {"b"}),  # the newest is that of a run that goes on
        (set(), {"a": 1, "b": 3, "c": 2}, {"a", "c"}),
        ({"a", "b", "c"}, {"a": 1, "b": 2, "c": 3}, set()),
    ],
)
def test_what_is_recorded_and_what_is_newest_is_needed(state, recorded, ages, freed):
    for name in "abc":
        finish(f"train-0-{name}", name)
    finish("prune-0-d", "d")
    age(state, **ages)
    found = unneeded(listed(*recorded), {"train-0", "prune-0"})
    assert {each.path.name[-1] for each in found} == freed


def test_what_no_stage_or_seed_of_the_settings_is_called_is_not_needed(state):
    for name in ("train-0-a", "train-1-b", "retrain-l1-gone-0-c"):
        finish(name, "recorded")
    begin("retrain-l1-gone-1-d")
    found = unneeded(listed("recorded"), {"train-0"})
    assert {each.name for each in found} == {"train-1", "retrain-l1-gone-0", "retrain-l1-gone-1"}


def test_the_lock_file_of_what_is_gone_is_not_needed(state):
    finish("train-0-a")
    (state / "train-0-b.lock").touch()
    assert [each.kind for each in unneeded(listed("result"), {"train-0"})] == ["lock"]


def test_what_a_process_holds_is_needed(state):
    finish("train-0-a")
    with locked(state / "train-0-a", None):
        assert list(unneeded(listed(), set())) == []


def test_what_is_freed_is_gone_with_its_lock_and_is_computed_anew(state):
    finish("train-0-a")
    finish("train-0-b")
    assert all(free(each) for each in listed() if each.path.name == "train-0-a")
    assert sorted(path.name for path in state.iterdir()) == ["train-0-b", "train-0-b.lock"]
    finish("train-0-a", "again")
    assert (state / "train-0-a/networks/file").read_text() == "again"


def test_what_a_process_holds_is_not_freed(state):
    finish("train-0-a")
    (found,) = listed()
    with locked(state / "train-0-a", None):
        assert not free(found)
    assert (state / "train-0-a/networks/file").exists()


def test_who_waits_for_a_lock_that_is_freed_takes_the_new_one(state):
    """The file that it waited for is gone: another process could hold the new one of that name."""
    with locked(state / "train-0-a", None):
        child = os.fork()
        if child == 0:
            with locked(state / "train-0-a", "waiting"):
                os._exit(0 if (state / "train-0-a.lock").exists() else 1)
        (state / "train-0-a.lock").unlink()
    assert os.waitpid(child, 0)[1] == 0
