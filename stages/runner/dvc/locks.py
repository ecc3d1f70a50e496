"""DVC's rwlock, held for several stages at once by one process."""

import os
import sys
from collections.abc import Iterable
from itertools import chain
from typing import Any

from dvc import rwlock
from dvc.dependency.db import AbstractDependency
from dvc.dependency.repo import RepoDependency
from dvc.rwlock import (
    _acquire_read,
    _acquire_write,
    _check_blockers,
    _release_read,
    _release_write,
)

ELSEWHERE = (RepoDependency, AbstractDependency)
"""Dependencies that no stage can write, and DVC does not lock."""


class Locks:
    """The rwlocks of stages that run, until they are recorded: dependencies read, outputs written.

    The owner is written as DVC writes it for this process, so that DVC's own short locks of these
    paths agree. DVC's `rwlock` forgets that two stages of a process read the same path.
    """

    def __init__(self, repo: Any) -> None:
        self._repo = repo
        self._owner = {"pid": os.getpid(), "cmd": " ".join(sys.argv)}
        self._held: dict[str, tuple[list[str], list[str]]] = {}

    def take(self, name: str, stage: Any) -> None:
        """Lock a stage; DVC's LockError if another process runs it or reads what it writes."""
        reads = [dep.fs_path for dep in stage.deps if not isinstance(dep, ELSEWHERE)]
        writes = [out.fs_path for out in stage.outs]
        owner, folder = self._owner, self._repo.tmp_dir
        with self._file() as locks:
            _check_blockers(folder, locks, owner, mode="write", waiters=reads + writes)
            _check_blockers(folder, locks, owner, mode="read", waiters=writes)
            _acquire_read(locks, owner, reads)
            _acquire_write(locks, owner, writes)
        self._held[name] = (reads, writes)

    def release(self, names: Iterable[str] | None = None) -> None:
        """Unlock stages, by default all, but for what others still read."""
        names = list(self._held) if names is None else names
        gone = [self._held.pop(name) for name in names if name in self._held]
        if gone:
            kept = set(chain.from_iterable(reads for reads, _ in self._held.values()))
            reads = set(chain.from_iterable(reads for reads, _ in gone)) - kept
            with self._file() as locks:
                _release_write(locks, self._owner, [path for _, paths in gone for path in paths])
                _release_read(locks, self._owner, reads)

    def _file(self) -> Any:
        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        return rwlock._edit_rwlock(self._repo.tmp_dir, self._repo.fs, hardlink)
