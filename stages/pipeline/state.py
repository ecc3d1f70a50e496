"""What lies in the folder of recovery state, which of it a run may still need, and how to free it.

It is called while no stage runs, or beside those that do: what a process holds is not touched.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stages.pipeline.manifest import FILE
from stages.pipeline.recovery import locked, state_folder

Kind = Literal["recorded", "finished", "unfinished", "used", "lock"]


@dataclass(frozen=True)
class Kept:
    """One replicate's folder, or a lock file that is left of one.

    recorded: finished, and all of its files are recorded; finished: one of them is not;
    unfinished: a run goes on from it; used: a process holds its lock. `alone` is how much of `size`
    (bytes) lies on the disk for this folder only: the rest is linked to outputs or DVC's cache, and
    stays when the folder goes.
    """

    path: Path
    kind: Kind
    size: int
    alone: int
    changed: float

    @property
    def name(self) -> str:
        """Return the stage and the replicate, without the digest."""
        return self.path.name.rpartition("-")[0]


def kept(recorded: Callable[[Path], bool]) -> list[Kept]:
    """Return what the folder holds, by name; `recorded` tells of a file whether it is elsewhere."""
    if not state_folder().is_dir():
        return []
    paths = sorted(state_folder().iterdir())
    names = {path.stem for path in paths if path.is_dir()}
    return [
        Kept(path, _kind(path, recorded), *_sizes(path), path.stat().st_mtime)
        for path in paths
        if path.is_dir() or (path.suffix == ".lock" and path.stem not in names)
    ]


def unneeded(everything: Collection[Kept], names: Collection[str]) -> Iterator[Kept]:
    """Yield all but what is recorded, and the newest of each stage and replicate, of those `names`.

    A run of the settings that were used last takes no more; one of earlier settings begins anew.
    """
    newest: dict[str, float] = {}
    for each in everything:
        if each.kind != "lock":
            newest[each.name] = max(each.changed, newest.get(each.name, 0.0))
    for each in everything:
        newer = each.kind != "lock" and each.changed >= newest[each.name]
        taken = each.name in names and (each.kind == "recorded" or newer)
        if each.kind != "used" and not taken:
            yield each


def free(each: Kept) -> bool:
    """Remove a folder and its lock file; whether no process held it."""
    with suppress(BlockingIOError), locked(each.path, waiting=None):
        if each.path.is_dir():
            shutil.rmtree(each.path)
        each.path.with_suffix(".lock").unlink(missing_ok=True)
        return True
    return False


def _kind(path: Path, recorded: Callable[[Path], bool]) -> Kind:
    try:
        with locked(path, waiting=None):
            if path.suffix == ".lock":
                return "lock"
            if path.suffix == ".partial":
                return "unfinished"
            return "recorded" if all(map(recorded, _files(path))) else "finished"
    except BlockingIOError:
        return "used"


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file() and file.name != FILE]


def _sizes(path: Path) -> tuple[int, int]:
    """Return the bytes of a folder's files, and of those with no link outside the folder."""
    files = [file.lstat() for file in [path, *path.rglob("*")] if file.is_file()]
    here = Counter(status.st_ino for status in files)
    once = {status.st_ino: status for status in files}.values()
    alone = (status.st_size for status in once if status.st_nlink == here[status.st_ino])
    return sum(status.st_size for status in once), sum(alone)
