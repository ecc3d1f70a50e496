"""A process that ends when the one it works for is gone.

Killing DVC alone leaves its commands running; a second `dvc repro` would start others on the same
files.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from stages.pipeline.cores import RUNNER

SECONDS = 1.0
GONE = "DVC is gone: this stage stops; run `dvc repro` to go on"
GRACE = 3.0
"""Seconds that a process has to save and to leave by itself before it is ended."""


@contextmanager
def leaving_when_told(told: Callable[[], None] = lambda: None) -> Iterator[None]:
    """At SIGTERM, call `told` and leave the block by SystemExit: clean up, save, end with 143.

    The signal comes more than once, from a group and from a parent: the first one counts.
    """

    def leave(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        _end_after(GRACE, 128 + number)  # where something catches what is raised, or hangs
        told()
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_dvc() -> None:
    """End this process when the DVC process that started it, if one did, is gone.

    It may be gone already: imports take seconds.
    """
    if "DVC_STAGE" not in os.environ or RUNNER in os.environ:
        return
    process = _dvc()
    if process is None:
        sys.exit(GONE)
    _watch(lambda: _alive(process), GONE)


def end_with_parent(parent: int) -> None:
    """End this forked process when its parent, a process number, is gone."""
    _watch(lambda: os.getppid() == parent, None)


def _dvc() -> psutil.Process | None:
    """Return the DVC process that started this one as a stage, None if it is gone."""
    with suppress(psutil.Error):
        for process in psutil.Process().parents():
            if any(Path(word).name == "dvc" for word in process.cmdline()[:3]):
                return process
    return None


def _alive(process: psutil.Process) -> bool:
    """Whether a process still runs; one that ended but was not waited for does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _watch(alive: Callable[[], bool], message: str | None) -> None:
    def loop() -> None:
        while alive():
            time.sleep(SECONDS)
        if message:
            print(message, file=sys.stderr, flush=True)
        _end_after(GRACE, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=loop, daemon=True).start()


def _end_after(seconds: float, code: int) -> None:
    timer = threading.Timer(seconds, os._exit, [code])
    timer.daemon = True
    timer.start()
