"""The parts that need no DVC."""

import os
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from stages.runner import leash
from stages.runner.dvc.pipeline import Command
from stages.runner.times import longest_chains, read_times, write_times
from stages.runner.view import Board, tail
from stages.runner.workers import Workers


def test_the_longest_chain_counts_what_is_behind_a_stage():
    needs = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}, "e": set()}
    times = {"a": 1.0, "b": 2.0, "c": 5.0, "d": 1.0, "e": 3.0}
    assert longest_chains([*needs], needs, times) == {"a": 7, "b": 3, "c": 6, "d": 1, "e": 3}


def test_a_stage_of_unknown_time_counts_as_the_mean():
    needs = {"a": set(), "b": {"a"}}
    assert longest_chains(["a", "b"], needs, {"a": 2.0, "x": 4.0}) == {"a": 5.0, "b": 3.0}
    assert longest_chains(["a", "b"], needs, {}) == {"a": 2.0, "b": 1.0}


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": "x"}', '{"a": null}'])
def test_times_that_cannot_be_read_are_none(tmp_path, text):
    path = tmp_path / "times.json"
    assert read_times(path) == {}
    path.write_text(text)
    assert read_times(path) == {}
    write_times(path, {"a": 1.23456})
    assert read_times(path) == {"a": 1.235}


def test_the_tail_of_a_log_shows_a_progress_bar_once(tmp_path):
    log = tmp_path / "log"
    assert tail(log, 3) == []
    log.write_bytes(b"x" * 5000 + b"\none\n\ntwo\n 1%\r50%\r99%\r")
    assert tail(log, 3) == ["one", "two", "99%"]


def test_the_board_shows_what_runs_and_counts_the_rest(tmp_path):
    console = Console(record=True, width=80, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    board = Board(4, console)
    (tmp_path / "log").write_text("epoch 3 [of 8]\n")
    board.start("train", tmp_path / "log")
    board.settle("prepare", "unchanged", 0.0)
    board.settle("other@[x]", "ran", 1.0)
    console.print(board)
    shown = console.export_text()
    assert "2 of 4 stages: 1 ran, 1 unchanged" in shown
    assert "epoch 3 [of 8]" in shown
    assert "ran       other@[x]  1.0 s" in shown
    assert "prepare" not in shown


def command(*lines):
    return Command([["/bin/sh", "-c", line] for line in lines], "/", dict(os.environ))


@pytest.fixture
def workers():
    workers = Workers()
    yield workers
    workers.close()


def test_commands_run_in_turn_until_one_fails(workers, tmp_path):
    workers.start("s", command("echo one", "echo two >&2; exit 3", "echo three"), tmp_path / "log")
    [ended] = workers.wait(10)
    assert (ended.name, ended.code) == ("s", 3)
    assert (tmp_path / "log").read_text() == "one\ntwo\n"
    assert workers.running == set()


def test_a_command_that_cannot_start_fails(workers, tmp_path):
    workers.start("s", Command([["/nowhere"]], "/", {}), tmp_path / "log")
    [ended] = workers.wait(10)
    assert ended.code == 1
    assert "/nowhere" in (tmp_path / "log").read_text()


def test_stopping_ends_the_whole_group_and_starts_nothing_more(workers, tmp_path):
    workers.start("s", command("sleep 30 | cat; echo on", "echo more"), tmp_path / "log")
    assert workers.wait(0.3) == []
    workers.stop(signal.SIGTERM)
    ended = workers.wait(10) or workers.wait(10)
    assert [each.code for each in ended] == [-signal.SIGTERM]
    assert (tmp_path / "log").read_text() == ""
    assert workers.stopped == signal.SIGTERM


def test_the_leash_forgets_groups_that_ended():
    assert leash.follow(["+12\n", "+13\n", "-12\n"]) == {13}


def test_the_leash_kills_what_does_not_stop():
    script = "trap '' TERM; echo ready; sleep 30"
    process = subprocess.Popen(
        ["/bin/sh", "-c", script], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    process.stdout.readline()
    leash.end({process.pid}, grace=0.2)
    assert process.wait(5) == -signal.SIGKILL


def test_the_leash_needs_the_standard_library_alone():
    code = (
        f"import runpy, sys; runpy.run_path({leash.__file__!r}); sys.exit('stages' in sys.modules)"
    )
    subprocess.run([sys.executable, "-I", "-c", code], check=True, stdin=subprocess.DEVNULL)
