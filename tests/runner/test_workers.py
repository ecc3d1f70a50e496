"""Commands of stages, as processes of this machine."""

import os
import signal

import psutil
import pytest

from stages.runner.dvc.pipeline import Command
from stages.runner.local import Local
from stages.runner.slots import Slot
from stages.runner.workers import Workers
from tests.pipeline.project import wait_until


def command(*lines):
    return Command([["/bin/sh", "-c", line] for line in lines], "/", dict(os.environ))


@pytest.fixture
def workers():
    workers = Workers(Local())
    yield workers
    workers.close()


def test_commands_run_in_turn_until_one_fails(workers, tmp_path):
    calls = command("echo one", "echo two >&2; exit 3", "echo three")
    workers.start("s", calls, Slot(1, 0), tmp_path / "log")
    [ended] = workers.wait(10)
    assert (ended.name, ended.code) == ("s", 3)
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    assert workers.running == {}


def test_a_command_that_cannot_start_fails(workers, tmp_path):
    workers.start("s", Command([["/nowhere"]], "/", {}), Slot(1, 0), tmp_path / "log")
    [ended] = workers.wait(10)
    assert ended.code == 127
    assert "/nowhere" in (tmp_path / "log").read_text()


def test_stopping_ends_the_whole_group_and_starts_nothing_more(workers, tmp_path):
    workers.start(
        "s", command("sleep 30 | cat; echo on", "echo more"), Slot(1, 0), tmp_path / "log"
    )
    assert workers.wait(0.3) == []
    workers.stop(signal.SIGTERM)
    ended = workers.wait(10) or workers.wait(10)
    assert [each.code for each in ended] == [-signal.SIGTERM]
    assert (tmp_path / "log").read_text() == ""
    assert workers.stopped == signal.SIGTERM


def test_what_a_failed_command_started_ends_with_it(workers, tmp_path):
    line = "sleep 60 & echo $!; kill -9 $$"
    workers.start("s", command(line), Slot(1, 0), tmp_path / "log")
    [ended] = workers.wait(10)
    assert ended.code == -signal.SIGKILL
    number = int((tmp_path / "log").read_text())
    wait_until(lambda: is_gone(number))


def is_gone(number):
    try:
        return psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_slot_tells_its_variables_and_is_given_back(workers, tmp_path):
    given = []
    slot = Slot(1, 0, {"TOLD": "yes"}, lambda: given.append(True))
    workers.start("s", command("echo $TOLD"), slot, tmp_path / "log")
    assert not given
    workers.wait(10)
    assert given == [True]
    assert (tmp_path / "log").read_text() == "yes\n"
