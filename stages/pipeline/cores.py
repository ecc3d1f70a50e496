"""The cores of a machine, shared by processes: a file for each, locked by whoever computes on it.

A lock ends with its holder, however that went, so no core is lost when a process is killed.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from stages.pipeline.fault import Fault

CORES = "AFTERPRUNE_CORES"
"""The environment variable that names the folder of these files to a stage of `afterprune run`."""
RUNNER = "AFTERPRUNE_RUNNER"
"""The environment variable that tells a stage of `afterprune run` that no DVC started it."""
WORKERS = "AFTERPRUNE_WORKERS"
"""The environment variable that sets how many replicates of a stage run at a time."""


class Cores:
    """The cores that the files of a folder stand for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def of(cls, folder: Path, number: int) -> "Cores":
        """Return so many cores, in a folder within `folder` that runs of the same number share."""
        mine = folder / f"of-{number}"
        mine.mkdir(parents=True, exist_ok=True)
        for core in range(number):
            (mine / f"{core}").touch()
        return cls(mine)

    def take(self, number: int) -> list[int]:
        """Return at most so many cores that were free, as open files, taken until given."""
        import fcntl  # which Windows lacks: there a stage has to say so, in one line

        taken: list[int] = []
        for path in sorted(self.folder.iterdir()):
            if len(taken) == number:
                break
            core = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(core, fcntl.LOCK_EX | fcntl.LOCK_NB)
                taken.append(core)
            except BlockingIOError:
                os.close(core)
        return taken

    @staticmethod
    def give(cores: Iterable[int]) -> None:
        """Let others compute on cores that were taken."""
        import fcntl

        for core in cores:
            fcntl.flock(core, fcntl.LOCK_UN)  # a forked process may still have the file open
            os.close(core)


def shared() -> Cores | None:
    """Return the cores that this stage shares with others, None where nobody gave it any."""
    folder = os.environ.get(CORES)
    return Cores(Path(folder)) if folder else None


def side_by_side() -> int | None:
    """Return how many replicates the user has set to run at a time; None where nothing is set."""
    text = os.environ.get(WORKERS)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise Fault(f"{WORKERS} is {text!r}; it should be a whole number, 1 or more")
    return int(text)
