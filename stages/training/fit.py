"""A whole run: its epochs, their history, the selected network, recovery after a crash."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Never

import numpy as np
from tqdm import tqdm

from stages.files import load_arrays, read_meta, save_arrays
from stages.training.loop import Run

PROGRESS = "progress.safetensors"
SAVING_SHARE = 0.05
REFRESH_SECONDS = 0.1
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


def fit(
    run: Run, folder: Path, name: str, number: int, after: Callable[[Run], None] | None = None
) -> Record:
    """Train `run` to the end of its curve; `after` is called at the end of every epoch.

    Progress is kept in `folder`, so that a call after a crash goes on from there, to the same bits.
    On a terminal it is shown on the line `number` of those that replicates share.
    """
    record = _resume(run, folder / PROGRESS)
    saved = time.monotonic()
    cost = 0.0
    with _bar(run, f"{name} {number}", number) as bar:
        while run.epoch < run.curve.epochs:
            begun = time.monotonic()
            loss = run.advance()
            speed = run.curve.steps_per_epoch * run.recipe.batch_size / (time.monotonic() - begun)
            record.add(run, loss)
            if after is not None:
                after(run)
            bar.set_postfix_str(_told(record.history[-1], speed), refresh=False)
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


def _bar(run: Run, label: str, line: int) -> "tqdm[Never]":
    return tqdm(
        total=run.curve.epochs,
        initial=run.epoch,
        desc=label,
        position=line,
        leave=False,
        disable=None,
        dynamic_ncols=True,
        mininterval=REFRESH_SECONDS,
        bar_format="{desc}: epoch {n_fmt}/{total_fmt}{postfix}, {remaining} left",
    )


def _told(row: Mapping[str, Any], speed: float) -> str:
    held_out = row["validation_accuracy"] is not None
    part = "validation" if held_out else "test"
    accuracy = 100 * row[f"{part}_accuracy"]
    return f"loss {row['train_loss']:.3f}, {part} {accuracy:.1f} %, {speed:,.0f} images/s"


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
