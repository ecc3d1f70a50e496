"""The parts that need no DVC."""

import os
import signal
import subprocess
import sys

from rich.console import Console

from stages.runner import leash
from stages.runner.progress import Progress
from stages.runner.view import Board, tail


def test_the_tail_of_a_log_shows_a_progress_bar_once(tmp_path):
    log = tmp_path / "log"
    assert tail(log, 3) == []
    log.write_bytes(b"x" * 5000 + b"\none\n\ntwo\n 1%\r50%\r99%\r")
    assert tail(log, 3) == ["one", "two", "99%"]


def test_the_board_shows_what_runs_and_counts_the_rest(tmp_path):
    console = Console(record=True, width=80, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    needs = {name: set() for name in ("prepare", "train", "other@[x]", "last")}
    progress = Progress(needs, {}, lambda seconds: sum(seconds.values()), clock=lambda: 0.0)
    board = Board(progress, console)
    (tmp_path / "log").write_text("epoch 3 [of 8]\n")
    board.start("train", tmp_path / "log", "GPU 3")
    board.settle("prepare", "unchanged", 0.0)
    board.settle("other@[x]", "ran", 1.0)
    console.print(board)
    shown = console.export_text()
    assert "stage 3 of 4, 0 s left (rough): 1 ran, 1 unchanged" in shown
    assert "epoch 3 [of 8]" in shown
    assert "GPU 3" in shown
    assert "ran       other@[x]  1.0 s" in shown
    assert "prepare" not in shown


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
