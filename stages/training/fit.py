"""A whole run: its epochs, their history, the selected network, recovery after a crash."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from stages.files import load_arrays, read_meta, save_arrays
from stages.training.loop import Run

PROGRESS = "progress.safetensors"
SAVING_SHARE = 0.05
COLUMNS = ("epoch", "lr", "momentum", "train_loss", "validation_accuracy", "test_accuracy")


@dataclass
class Record:
    """What a run leaves: one history row an epoch, and the tensors that did best on validation.

    Among epochs of equal validation accuracy the last is selected; without validation images the
    last of all.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    selected: dict[str, np.ndarray] = field(default_factory=dict)
    best: float = -1.0

    def add(self, run: Run, loss: float) -> None:
        """Record the epoch that just ended."""
        step = (run.epoch - 1) * run.curve.steps_per_epoch
        validation = run.accuracy(run.data.validation)
        self.history.append(
            {
                "epoch": run.epoch,
                "lr": float(run.curve.lr[step]),
                "momentum": float(run.curve.momentum[step]),
                "train_loss": loss,
                "validation_accuracy": validation,
                "test_accuracy": run.accuracy(run.data.test),
            }
        )
        if validation is None or validation >= self.best:
            self.best = -1.0 if validation is None else validation
            tensors = run.network.state_dict().items()
            self.selected = {name: t.detach().cpu().numpy().copy() for name, t in tensors}


def fit(run: Run, folder: Path, label: str, after: Callable[[Run], None] | None = None) -> Record:
    """Train `run` to the end of its curve; `after` is called at the end of every epoch.

    Progress is kept in `folder`, so that a call after a crash goes on from there, to the same bits.
    """
    record = _resume(run, folder / PROGRESS)
    saved = time.monotonic()
    cost = 0.0
    with tqdm(total=run.curve.epochs, initial=run.epoch, desc=label, disable=None) as bar:
        while run.epoch < run.curve.epochs:
            record.add(run, run.advance())
            if after is not None:
                after(run)
            bar.set_postfix(record.history[-1], refresh=False)
            bar.update()
            now = time.monotonic()
            if cost <= SAVING_SHARE * (now - saved):
                _save(run, record, folder / PROGRESS)
                saved = time.monotonic()
                cost = saved - now
    return record


def end(folder: Path) -> None:
    """Drop the progress of a run whose results are written."""
    (folder / PROGRESS).unlink(missing_ok=True)


def _save(run: Run, record: Record, path: Path) -> None:
    selected = {f"selected/{name}": array for name, array in record.selected.items()}
    meta = {"epoch": run.epoch, "history": record.history, "best": record.best}
    save_arrays(path, {**run.state(), **selected}, meta)


def _resume(run: Run, path: Path) -> Record:
    if not path.exists():
        return Record()
    arrays, meta = load_arrays(path), read_meta(path)
    chosen = {k for k in arrays if k.startswith("selected/")}
    run.restore({k: v for k, v in arrays.items() if k not in chosen}, meta["epoch"])
    selected = {k.removeprefix("selected/"): arrays[k] for k in chosen}
    history = [{name: row[name] for name in COLUMNS} for row in meta["history"]]
    return Record(history, selected, meta["best"])
