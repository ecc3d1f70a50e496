"""Full disks, missing rights and small memory, as they come: by limits, by a small disk."""

import errno
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stages.pipeline import machine
from stages.pipeline.fault import Fault
from stages.pipeline.files import save_arrays, save_rows, write_json
from stages.pipeline.machine import machine_faults
from stages.pipeline.recovery import recoverable
from tests.pipeline.disks import mounted

ROOT = Path(__file__).parents[2]
BIG = np.zeros(1 << 20)
MAKE_SPACE = "what is finished is kept; make space (`afterprune clean`, `dvc gc -w`), then run it"
WRITERS = {
    "arrays": lambda path: save_arrays(path, {"x": BIG}),
    "rows": lambda path: save_rows(path, np.float64, BIG.shape, [BIG]),
    "json": lambda path: write_json(path, BIG[: 1 << 18].tolist()),
}


@pytest.fixture
def small_files():
    """Let this process write files of at most 64 KB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def told(act):
    with pytest.raises(Fault) as fault, machine_faults():
        act()
    assert str(fault.value).count("\n") == 0
    return str(fault.value)


@pytest.mark.parametrize("writer", WRITERS)
def test_a_file_that_may_not_grow_is_told_and_leaves_nothing(writer, tmp_path, small_files):
    path = tmp_path / "file"
    line = told(lambda: WRITERS[writer](path))
    assert MAKE_SPACE in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_told_and_leaves_nothing(writer, tmp_path):
    with mounted(tmp_path / "disk", "256k") as disk:
        line = told(lambda: WRITERS[writer](disk / "file"))
        assert MAKE_SPACE in line
        assert list(disk.iterdir()) == []


def test_work_on_a_full_disk_goes_on_when_there_is_space(tmp_path, monkeypatch):
    def work():
        with recoverable("train-0-a", lambda: None) as work:
            if not (work.folder / "first").exists():
                (work.folder / "first").write_text("1")
                work.files.keep()
            (work.folder / "second").write_bytes(bytes(1 << 20))

    with mounted(tmp_path / "disk", "256k") as disk:
        monkeypatch.setenv("AFTERPRUNE_STATE", str(disk))
        assert "No space left on device" in told(work)
        assert [path.name for path in disk.glob("*.partial")] == ["train-0-a.partial"]
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        work()
        assert (disk / "train-0-a/first").read_text() == "1"


def test_a_disk_that_may_only_be_read_is_told(tmp_path):
    with mounted(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        line = told(lambda: write_json(disk / "file", 1))
        assert "Read-only file system; what is finished is kept; allow that" in line


ERRORS = [
    (torch.OutOfMemoryError("x"), "the GPU's memory is full; what is finished is kept; set AFTER"),
    (MemoryError(), "memory is full; what is finished is kept; set AFTERPRUNE_WORKERS to fewer"),
    (
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate "
            "memory: you tried to allocate 4000000000 bytes. Error code 12"
        ),
        "memory is full, 4000 MB more did not fit; what is finished is kept; set",
    ),
    (RuntimeError("can't start new thread"), "the system allows no more threads or memory; what"),
    (OSError(errno.ENOMEM, "x"), "Cannot allocate memory: no room for another process; what is"),
    (OSError(errno.EDQUOT, "x", "f"), "f: Disk quota exceeded; what is finished is kept; make"),
    (OSError("200 requested and 0 written"), "200 requested and 0 written; what is finished is"),
    (PermissionError(errno.EACCES, "x", "f"), "f: Permission denied; what is finished is kept;"),
]


@pytest.mark.parametrize(("error", "line"), ERRORS, ids=lambda value: str(value)[:30])
def test_what_the_machine_refuses_is_a_line(error, line):
    def act():
        raise error

    assert told(act).startswith(line)


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "x"), RuntimeError("x")])
def test_other_errors_stay_as_they_are(error):
    with pytest.raises(type(error)) as raised, machine_faults():
        raise error
    assert raised.value is error


def test_memory_that_torch_or_numpy_does_not_get_is_told():
    assert "memory is full" in told(lambda: torch.empty(1 << 50))
    assert "memory is full" in told(lambda: np.empty(1 << 50))


@pytest.mark.parametrize("named", [True, False])
def test_a_file_in_the_place_of_the_state_is_told(named, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AFTERPRUNE_STATE", raising=False)
    file = Path("file" if named else ".state")
    file.touch()
    if named:
        monkeypatch.setenv("AFTERPRUNE_STATE", "file/state")

    def work():
        with recoverable("train-0-a", lambda: None):
            pytest.fail("it ran")

    line = told(work)
    subject = "AFTERPRUNE_STATE is 'file/state'" if named else f"{tmp_path}/.state"
    assert line.startswith(f"{subject}: {tmp_path / file} is no folder; move it away or set")
    assert file.is_file()


def with_address_space(megabytes, *words):
    """Run this Python on a module of the project with so much address space."""
    limited = f'ulimit -v {megabytes << 10} && exec "$@"'
    call = ["/bin/sh", "-c", limited, "sh", sys.executable, "-m", *words]
    return subprocess.run(call, capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold to this limit")
@pytest.mark.parametrize("words", [("stages.rehearse",), ("stages.commands", "price")])
def test_too_little_address_space_for_torch_is_one_line(words):
    """No build of torch fits into 600 MB; whoever loads it says how much there is."""
    done = with_address_space(600, *words)
    assert done.returncode == 1
    assert done.stdout == ""
    line = done.stderr
    assert re.fullmatch(r"address space is limited to 614400 kB \(ulimit -v\); .*\n", line), line


def test_without_a_limit_nothing_is_tried(monkeypatch):
    monkeypatch.setattr(machine.subprocess, "run", None)
    machine.check_address_space()
