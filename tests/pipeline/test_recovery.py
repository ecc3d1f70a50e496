import errno
import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.recovery import recoverable, state_folder
from tests.pipeline.disks import mounted

fork = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("AFTERPRUNE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def finished(key, compute, check=lambda: None):
    """Do the work of a key where it is not done, and return the folder of the result."""
    with recoverable(key, check) as work:
        if not work.finished:
            compute(work.folder)
    return state_folder() / key


def stopped(key):
    """Begin the work of a key, list a file, and stop."""
    with recoverable(key, lambda: None) as work:
        (work.folder / "progress").write_text("half")
        work.files.keep()
        raise OSError


def folders(state):
    return sorted(path.name for path in state.iterdir() if path.is_dir())


def test_a_result_is_computed_once(state):
    calls = []

    def compute(folder):
        calls.append(folder)
        (folder / "result").write_text("42")

    first, second = finished("key", compute), finished("key", compute)
    assert first == second == state / "key"
    assert (first / "result").read_text() == "42"
    assert len(calls) == 1
    assert folders(state) == ["key"]


def test_a_finished_result_is_yielded_as_it_is_and_not_checked_again(state):
    finished("key", lambda folder: (folder / "result").write_text("42"))
    with recoverable("key", lambda: pytest.fail("checked")) as work:
        assert work.finished
        assert work.folder == state / "key"
        assert (work.folder / "result").read_text() == "42"


def test_the_work_hands_on_its_check():
    checks = []
    with recoverable("key", lambda: checks.append("checked")) as work:
        work.check()
        assert checks == ["checked"]
    assert checks == ["checked", "checked"]


def test_other_keys_are_other_results():
    one, two = (finished(key, lambda folder: None) for key in ("a", "b"))
    assert one != two


def test_a_result_that_failed_is_not_finished_and_goes_on_in_its_folder(state):
    with pytest.raises(OSError):  # noqa: PT011
        stopped("key")
    assert folders(state) == ["key.partial"]
    seen = []
    done = finished("key", lambda folder: seen.append((folder / "progress").read_text()))
    assert seen == ["half"]
    assert folders(state) == ["key"]
    assert (done / "progress").exists()


def test_what_a_killed_write_left_is_no_part_of_the_result(state):
    """files.replacing writes to .NAME.PID.tmp; SIGKILL and SIGTERM leave it there."""
    with pytest.raises(OSError):  # noqa: PT011
        stopped("key")
    (state / "key.partial" / ".progress.99.tmp").write_text("half")
    done = finished("key", lambda folder: None)
    assert sorted(path.name for path in done.iterdir()) == ["manifest.json", "progress"]


def test_a_manifest_is_json_with_the_size_and_sha256_of_every_file(state):
    finished("key", lambda folder: (folder / "result").write_text("42"))
    digest = "73475cb40a568e8da8a045ced110137e159f890ac4da883b6b17dc651b3a8049"
    assert json.loads((state / "key" / "manifest.json").read_text()) == {
        "of": "key",
        "files": {"result": [2, digest]},
    }


def test_a_result_is_on_the_disk_before_it_has_its_name(state, monkeypatch):
    """Each file, its folder, the manifest, the folder that is renamed, the folder of that."""
    log, fsync, rename = [], os.fsync, os.rename

    def synced(descriptor):
        log.append(Path(f"/proc/self/fd/{descriptor}").readlink().relative_to(state.parent))
        fsync(descriptor)

    def compute(folder):
        del log[:]
        (folder / "networks").mkdir()
        (folder / "networks" / "net").write_text("42")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", lambda *names: log.append(Path("renamed")) or rename(*names))
    finished("key", compute)
    partial = Path("state", "key.partial")
    assert log[0] == partial / "networks" / "net"
    assert set(log[1:3]) == {partial / "networks", partial}
    assert log[3:] == [
        partial / f".manifest.json.{os.getpid()}.tmp",
        partial,
        Path("renamed"),
        Path("state"),
    ]


def test_a_file_keeps_the_digest_that_it_was_listed_with(state):
    """Of a file that no one has written since, another digest later would be that of damage."""
    with recoverable("key", lambda: None) as work:
        path = work.folder / "result"
        path.write_text("42")
        work.files.keep()
        status = path.stat()
        path.write_text("43")
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    calls = []
    finished("key", calls.append)
    assert len(calls) == 1


def test_what_is_published_is_what_was_listed(tmp_path):
    with recoverable("key", lambda: None) as work:
        (work.folder / "networks").mkdir()
        path = work.folder / "networks" / "net"
        path.write_text("42")
        work.files.keep()
        work.files.publish("networks", tmp_path / "out")
        assert (tmp_path / "out" / "net").read_text() == "42"
        path.write_text("43")
        with pytest.raises(Fault, match=r"networks/net: damaged since it was written; run `dvc"):
            work.files.publish("networks", tmp_path / "out")


def publish(folder):
    """Publish three files, two of the same content, in a folder."""
    with recoverable("key", lambda: None) as work:
        if not work.finished:
            (work.folder / "networks").mkdir()
            for name, text in {"first": "42", "last": "43", "selected": "43"}.items():
                (work.folder / "networks" / name).write_text(text)
            work.files.keep()
        work.files.publish("networks", folder)


def inodes(*folders):
    return {path.stat().st_ino for folder in folders for path in folder.glob("*")}


def test_what_is_published_lies_on_the_disk_once(state, tmp_path):
    for name in "ab":
        publish(tmp_path / name)
    assert len(inodes(state / "key" / "networks", tmp_path / "a", tmp_path / "b")) == 2
    assert (tmp_path / "b" / "selected").read_text() == "43"


def test_what_is_published_is_copied_where_there_are_no_links(state, tmp_path, monkeypatch, capfd):
    def refused(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    publish(tmp_path / "a")
    assert len(inodes(state / "key" / "networks", tmp_path / "a")) == 6
    assert (tmp_path / "a" / "selected").read_text() == "43"
    assert capfd.readouterr() == ("", "")


def test_another_disk_gets_copies(state, tmp_path, capfd):
    with mounted(tmp_path / "disk") as disk:
        publish(disk / "out")
        assert (disk / "out" / "last").read_text() == "43"
    assert capfd.readouterr() == ("", "")


def test_what_is_published_over_a_link_leaves_its_other_names_as_they_are(tmp_path):
    (tmp_path / "cache").write_text("old")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "first").hardlink_to(tmp_path / "cache")
    publish(tmp_path / "out")
    assert (tmp_path / "cache").read_text() == "old"


def test_what_others_of_the_same_name_left_unfinished_is_dropped(state, capsys):
    for key in ("train-0-aa", "train-1-aa", "train-10-aa", "retrain-0-aa"):
        with pytest.raises(OSError):  # noqa: PT011
            stopped(key)
    finished("train-0-cc", lambda folder: None)
    finished("train-0-bb", lambda folder: None)
    assert folders(state) == [
        "retrain-0-aa.partial",
        "train-0-bb",
        "train-0-cc",
        "train-1-aa.partial",
        "train-10-aa.partial",
    ]
    left = state / "train-0-aa.partial"
    assert capsys.readouterr().err == f"{left}: dropped; an earlier run left it unfinished\n"


def test_what_another_process_computes_is_not_dropped(state):
    with recoverable("train-0-aa", lambda: None) as work:
        process = fork.Process(target=finished, args=("train-0-bb", lambda folder: None))
        process.start()
        process.join(5)
        assert process.exitcode == 0
        assert work.folder.is_dir()
    assert folders(state) == ["train-0-aa", "train-0-bb"]


def slow(log, folder):
    with log.open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.3)
    (folder / "result").write_text("42")


def ask(log):
    assert (finished("key", lambda folder: slow(log, folder)) / "result").read_text() == "42"


def test_a_second_process_waits_and_does_not_compute(tmp_path, capfd):
    log = tmp_path / "log"
    processes = [fork.Process(target=ask, args=(log,)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(5)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(log.read_text().split()) == 1
    assert "waiting" in capfd.readouterr().err


def test_a_killed_process_holds_no_lock(tmp_path):
    log = tmp_path / "log"
    process = fork.Process(target=finished, args=("key", lambda folder: slow(log, folder)))
    process.start()
    while not log.exists():
        time.sleep(0.01)
    process.kill()
    process.join()
    finished("key", lambda folder: slow(log, folder))
    assert len(log.read_text().split()) == 2


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("project", "project/.state"),
        ("project/.dvc/tmp/exps/standalone/tmpabc", "project/.state"),
        ("project/.dvc/tmp/exps/tmpabc", "project/.state"),
        ("project/tmp/exps/tmpabc", "project/tmp/exps/tmpabc/.state"),
    ],
)
def test_experiment_copies_share_the_state_of_their_project(
    folder, expected, tmp_path, monkeypatch
):
    monkeypatch.delenv("AFTERPRUNE_STATE")
    (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / folder)
    assert state_folder() == tmp_path / expected


def test_the_environment_names_the_folder(monkeypatch):
    monkeypatch.setenv("AFTERPRUNE_STATE", "elsewhere")
    assert state_folder() == Path("elsewhere")


def test_a_result_of_what_has_changed_is_dropped(state):
    def check():
        raise Fault("net.py changed while it ran")

    with pytest.raises(Fault, match=r"net\.py changed"):
        finished("key", lambda folder: (folder / "result").write_text("wrong"), check)
    assert folders(state) == []
    done = finished("key", lambda folder: (folder / "result").write_text("right"))
    assert (done / "result").read_text() == "right"
