"""Replicates that survive a crash, and finished ones that are never computed twice.

Their files lie outside DVC's outputs, which DVC deletes before a stage runs, in a folder that
temporary experiment copies share with the project they were made from. A disk may change them
there, so they are never trusted: each is listed with its digest in a manifest, and what is not as
it was listed is dropped and computed again.
"""

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TextIO

from stages.pipeline.fault import Fault
from stages.pipeline.manifest import FILE, Manifest, sync

STATE = "AFTERPRUNE_STATE"
PROGRESS = "progress_*.safetensors"
"""Files that unfinished work can do without: it goes on from an earlier one, or from its start."""
WAITING = "another process computes this replicate: waiting for it"
UNLISTED = {FILE: "missing or damaged"}


@dataclass(frozen=True)
class Work:
    """One replicate: the files of its folder, and whether an earlier run has finished them.

    Call `check` when all inputs are in memory: it raises a Fault when one of them has changed.
    Of unfinished work, a later run finds the files that `files.keep` listed last.
    """

    files: Manifest
    finished: bool
    check: Callable[[], None]

    @property
    def folder(self) -> Path:
        """Return the folder of its files."""
        return self.files.folder


def state_folder() -> Path:
    """Return the folder of recovery state: $AFTERPRUNE_STATE, or .state in the project."""
    if os.environ.get(STATE):
        return _checked(Path(os.environ[STATE]), f"{STATE} is {os.environ[STATE]!r}")
    here = Path.cwd()
    for folder in here.parents:
        if folder.parts[-3:] == (".dvc", "tmp", "exps"):
            return _checked(folder.parents[2] / ".state")
    return _checked(here / ".state")


def _checked(folder: Path, subject: str = "") -> Path:
    """Return a folder, which may not be there yet; a Fault where something else is."""
    above = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    if not above.is_dir():
        raise Fault(f"{subject or folder}: {above} is no folder; move it away or set {STATE}")
    return folder


@contextmanager
def recoverable(key: str, check: Callable[[], None]) -> Iterator[Work]:
    """Yield the work that `key` identifies: the finished result, or a folder to compute it in.

    That folder outlives a crash, so progress may be kept there. It becomes the finished result when
    the block ends, and is dropped when `check` then raises a Fault: what `key` digests has changed.
    A second process that asks for the same key waits for the first. A key is NAME-DIGEST, and no
    work of the same name is left unfinished, unless another process computes it.
    """
    folder = state_folder() / key
    with locked(folder, WAITING):
        files = _finished(folder)
        if files:
            yield Work(files, finished=True, check=check)
        else:
            files = _begun(folder.with_suffix(".partial"))
            yield Work(files, finished=False, check=check)
            _finish(files, folder, check)
    _drop_abandoned(folder)


def _finished(folder: Path) -> Manifest | None:
    """Return a finished result, None where there is none; one that is damaged is dropped."""
    if not os.path.lexists(folder):
        return None
    files = Manifest.read(folder)
    flaws = files.flaws() if files else UNLISTED
    if not flaws:
        return files
    _say(folder, flaws, "it is computed again")
    _distrust(folder / name for name, flaw in flaws.items() if flaw == "damaged")
    _remove(folder)
    return None


def _distrust(damaged: Iterable[Path]) -> None:
    """Make files writable, as DVC takes a read-only file of its cache as intact without a look.

    What is damaged here is damaged there, where it is a link to the same file.
    """
    for path in damaged:
        if path.is_file() and not path.is_symlink():
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def _begun(partial: Path) -> Manifest:
    """Return the files that unfinished work kept: none where it has to start again."""
    files = Manifest.read(partial)
    if files is None:
        flaws = UNLISTED if any(path.is_file() for path in partial.rglob("*")) else {}
    else:
        flaws = files.flaws()
    known = {name: flaw for name, flaw in flaws.items() if flaw != "foreign"}
    if files and all(fnmatch(Path(name).name, PROGRESS) for name in known):
        if known:
            _say(partial, known, "it goes on from what was kept before")
        for name in flaws:
            _remove(partial / name)
        return files
    if known:
        _say(partial, known, "it is computed from the start")
    if os.path.lexists(partial):
        _remove(partial)
    partial.mkdir()
    begun = Manifest(partial)
    begun.keep()
    return begun


def _finish(files: Manifest, folder: Path, check: Callable[[], None]) -> None:
    try:
        check()
    except Fault:
        shutil.rmtree(files.folder)
        raise
    progress = list(files.folder.rglob(PROGRESS))
    files.keep(without=progress)
    for path in progress:
        path.unlink()
    files.folder.rename(folder)
    sync([folder.parent])


def _drop_abandoned(folder: Path) -> None:
    """Drop what others of the name in `folder` left unfinished, where no process computes it."""
    for partial in folder.parent.glob(f"{folder.name.rpartition('-')[0]}-*.partial"):
        with suppress(BlockingIOError), locked(partial, waiting=None):
            _remove(partial)
            partial.with_suffix(".lock").unlink()
            print(f"{partial}: dropped; an earlier run left it unfinished", file=sys.stderr)


def _say(folder: Path, flaws: Mapping[str, str], then: str) -> None:
    name, flaw = next(iter(flaws.items()))
    more = f" and {len(flaws) - 1} more" if len(flaws) > 1 else ""
    print(f"{folder}: {name} is {flaw}{more}; {then}", file=sys.stderr)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path, waiting: str | None) -> Iterator[None]:
    """Hold the lock of a key; where another process does, wait and say so, or fail if not to."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    path = folder.with_suffix(".lock")
    while True:
        with path.open("w") as lock:
            _take(lock, waiting)
            if _is_at(lock, path):
                try:
                    yield
                finally:
                    _give(lock)
                return  # else it was freed meanwhile, and another process may hold the new file


def _take(lock: TextIO, waiting: str | None) -> None:
    import fcntl  # which Windows lacks: there a stage has to say so, in one line

    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if waiting is None:
            raise
        print(waiting, file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)


def _give(lock: TextIO) -> None:
    import fcntl

    fcntl.flock(lock, fcntl.LOCK_UN)  # a forked process may still have the file open


def _is_at(file: TextIO, path: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False
