"""A process that ends when the one it works for is gone.

Killing DVC alone leaves its commands running; a second `dvc repro` would start others on the same
files.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

SECONDS = 1.0


def end_with_dvc() -> None:
    """End this process when the DVC process that started it, if one did, is gone."""
    process = _dvc()
    if process is not None:
        _watch(lambda: _alive(process), "DVC is gone: this stage stops; run `dvc repro` to go on")


def end_with_parent(parent: int) -> None:
    """End this forked process when its parent, a process number, is gone."""
    _watch(lambda: os.getppid() == parent, None)


def _dvc() -> psutil.Process | None:
    """Return the DVC process that started this one as a stage, None if none did."""
    if "DVC_STAGE" not in os.environ:
        return None
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
        os._exit(1)

    threading.Thread(target=loop, daemon=True).start()
