"""Replicates that survive a crash, and finished ones that are never computed twice.

Their files lie outside DVC's outputs, which DVC deletes before a stage runs, in a folder that
temporary experiment copies share with the project they were made from.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stages.pipeline.fault import Fault

STATE = "AFTERPRUNE_STATE"


@dataclass(frozen=True)
class Work:
    """One replicate: the folder of its files, and whether an earlier run has finished them.

    Call `check` when all inputs are in memory: it raises a Fault when one of them has changed.
    """

    folder: Path
    finished: bool
    check: Callable[[], None]


def state_folder() -> Path:
    """Return the folder of recovery state: $AFTERPRUNE_STATE, or .state in the project."""
    if os.environ.get(STATE):
        return Path(os.environ[STATE])
    here = Path.cwd()
    for folder in here.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return folder.parents[2] / ".state"
    return here / ".state"


@contextmanager
def recoverable(key: str, check: Callable[[], None]) -> Iterator[Work]:
    """Yield the work that `key` identifies: the finished result, or a folder to compute it in.

    That folder outlives a crash, so progress may be kept there. It becomes the finished result when
    the block ends, and is dropped when `check` then raises a Fault: what `key` digests has changed.
    A second process that asks for the same key waits for the first.
    """
    folder = state_folder() / key
    with _locked(folder):
        if folder.is_dir():
            yield Work(folder, finished=True, check=check)
            return
        partial = folder.with_suffix(".partial")
        partial.mkdir(exist_ok=True)
        for left in partial.rglob(".*.tmp"):  # of a write that was killed
            left.unlink()
        yield Work(partial, finished=False, check=check)
        try:
            check()
        except Fault:
            shutil.rmtree(partial)
            raise
        partial.rename(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    import fcntl  # which Windows lacks: there a stage has to say so, in one line

    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("another process computes this replicate: waiting for it", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
