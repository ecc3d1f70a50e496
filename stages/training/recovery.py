"""Replicates that survive a crash, and finished ones that are never computed twice.

Their files lie outside DVC's outputs, which DVC deletes before a stage runs, in a folder that
temporary experiment copies share with the project they were made from.
"""

import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stages.fault import Fault

STATE = "AFTERPRUNE_STATE"


def state_folder() -> Path:
    """Return the folder of recovery state: $AFTERPRUNE_STATE, or .state in the project."""
    if os.environ.get(STATE):
        return Path(os.environ[STATE])
    here = Path.cwd()
    for folder in here.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2] / ".state"
    return here / ".state"


def finished(key: str, compute: Callable[[Path], None], check: Callable[[], None]) -> Path:
    """Return the folder of the result that `key` identifies, computed there if it is not yet.

    `compute(folder)` works in a folder that outlives a crash, so it may keep its progress there;
    it is dropped when `check` then raises a Fault: what `key` digests has changed meanwhile.
    A second process that asks for the same key waits for the first.
    """
    folder = state_folder() / key
    with _locked(folder):
        if not folder.is_dir():
            partial = folder.with_suffix(".partial")
            partial.mkdir(exist_ok=True)
            compute(partial)
            try:
                check()
            except Fault:
                shutil.rmtree(partial)
                raise
            for left in partial.rglob(".*.tmp"):  # of a write that was killed
                left.unlink()
            partial.rename(folder)
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another process computes this replicate: waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
