"""The progress of a run on disk, from which it goes on after a crash, to the same bits."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.pipeline.recovery import PROGRESS
from stages.replicates.ranks import by_leader
from stages.training.history import History, Row, columns_of
from stages.training.loop import Run

GENERATIONS = 2
"""Progress files that are kept: where the newest is damaged, a run goes on from the one before."""
SAVING_SHARE = 0.05
"""The part of the time that saving progress may take."""
Keep = Callable[[Collection[Path]], None]


@dataclass(frozen=True)
class Progress:
    """A run at the end of an epoch, in memory: what the next epoch changes is copied."""

    epoch: int
    state: Mapping[str, np.ndarray]
    rows: Sequence[Row]
    selected: Mapping[str, np.ndarray]
    best: float

    @classmethod
    def of(cls, run: Run, history: History) -> "Progress":
        """Return the progress of a run and its history as they are now."""
        return cls(run.epoch, run.state(), [*history.rows], history.selected, history.best)

    def save(self, folder: Path, keep: Keep | None) -> None:
        """Write it, and drop what it supersedes (see `Replicate.keep`)."""
        selected = {f"selected/{name}": array for name, array in self.selected.items()}
        columns = {f"history/{name}": array for name, array in columns_of(self.rows).items()}
        path = folder / PROGRESS.replace("*", f"{self.epoch:08}")
        meta = {"epoch": self.epoch, "best": self.best}
        save_arrays(path, {**self.state, **selected, **columns}, meta)
        _drop(sorted(folder.glob(PROGRESS))[:-GENERATIONS], keep)


@dataclass
class Saver:
    """Saves the progress of a run in a folder as often as that takes a small part of the time.

    `keep` is called with the files that a save supersedes, which go then (see `Replicate.keep`).
    """

    folder: Path
    keep: Keep | None = None
    _unsaved: Progress | None = None
    _saved: float = field(default_factory=time.monotonic)
    _cost: float = 0.0

    def take(self, progress: Progress) -> None:
        """Take the progress at the end of an epoch, and save it if that is due."""
        self._unsaved = progress
        if self._cost <= SAVING_SHARE * (time.monotonic() - self._saved):
            self.save()

    def save(self) -> None:
        """Save what was taken last, if it is not saved."""
        if self._unsaved is not None:
            begun = time.monotonic()
            self._unsaved.save(self.folder, self.keep)
            self._unsaved, self._saved = None, time.monotonic()
            self._cost = self._saved - begun


@contextmanager
def saving(folder: Path, keep: Keep | None) -> Iterator[Saver]:
    """Yield what saves progress; whatever ends the block early, a kill apart, the last is saved."""
    saver = Saver(folder, keep)
    try:
        yield saver
    except BaseException:
        with suppress(OSError):
            saver.save()
        raise


@by_leader
def end(folder: Path, keep: Keep) -> None:
    """Keep the results of a run, which are written, without its progress, which is dropped."""
    _drop(list(folder.glob(PROGRESS)), keep)


def resumed(run: Run, folder: Path) -> History:
    """Bring a run to where its newest progress ends; return its history so far."""
    path = max(folder.glob(PROGRESS), default=None)
    if path is None:
        return History()
    parts: dict[str, dict[str, np.ndarray]] = {"selected": {}, "history": {}}
    state = {}
    for name, array in load_arrays(path).items():
        part, _, rest = name.partition("/")
        if part in parts:
            parts[part][rest] = array
        else:
            state[name] = array
    meta = read_meta(path)
    run.restore(state, meta["epoch"])
    return History(_rows(parts["history"]), parts["selected"], meta["best"])


def _rows(columns: Mapping[str, np.ndarray]) -> list[Row]:
    lists = {name: array.tolist() for name, array in columns.items()}
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)]


def _drop(superseded: Collection[Path], keep: Keep | None) -> None:
    if keep is not None:
        keep(superseded)
    for path in superseded:
        path.unlink()
