"""A whole run: its epochs, their history, the selected network, recovery after a crash."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Never

import numpy as np
from tqdm import tqdm

from stages.pipeline.files import load_arrays, read_meta, save_arrays
from stages.pipeline.recovery import PROGRESS
from stages.replicates.ranks import by_leader, from_leader, leads
from stages.training.divergence import Chance, Divergence, exploded
from stages.training.loop import Run

GENERATIONS = 2
"""Progress files that are kept: where the newest is damaged, a run goes on from the one before."""
SAVING_SHARE = 0.05
"""The part of the time that saving progress may take."""
REFRESH_SECONDS = 0.1
COLUMNS = ("epoch", "lr", "momentum", "train_loss", "validation_accuracy", "test_accuracy")
Row = dict[str, float]
Keep = Callable[[Collection[Path]], None]


@dataclass
class History:
    """What a run leaves: one row an epoch, and the tensors of the network best on validation.

    A row has epoch (from 1), lr and momentum of its first step, train_loss, validation_accuracy
    (NaN without validation images) and test_accuracy. Among epochs of equal validation accuracy the
    last is selected; without validation images the last of all. Where the run `diverged`, an epoch
    that is not finite has no row.
    """

    rows: list[Row] = field(default_factory=list)
    selected: dict[str, np.ndarray] = field(default_factory=dict)
    best: float = -1.0
    diverged: Divergence | None = None

    def add(self, run: Run, loss: float) -> None:
        """Record the epoch that just ended."""
        step = (run.epoch - 1) * run.rates.steps_per_epoch
        validation, test = run.accuracy(run.data.validation), run.accuracy(run.data.test)
        self.rows.append(
            {
                "epoch": run.epoch,
                "lr": float(run.rates.lr[step]),
                "momentum": float(run.rates.momentum[step]),
                "train_loss": loss,
                "validation_accuracy": math.nan if validation is None else validation,
                "test_accuracy": math.nan if test is None else test,
            }
        )
        if validation is None or validation >= self.best:
            self.best = -1.0 if validation is None else validation
            tensors = run.network.state_dict().items()
            self.selected = {name: t.detach().cpu().numpy().copy() for name, t in tensors}

    def columns(self) -> dict[str, np.ndarray]:
        """Return the rows as float64 columns [epochs]."""
        return {name: np.array([row[name] for row in self.rows], np.float64) for name in COLUMNS}


def fit(
    run: Run,
    folder: Path,
    name: str,
    number: int,
    after: Callable[[Run], None] | None = None,
    keep: Keep | None = None,
) -> History:
    """Train `run` to the end of its rates, or until it diverges (see `training.divergence`).

    `after` is called at the end of every epoch that does not diverge.

    Progress is kept in `folder`, so that a call after a crash goes on from there, to the same bits.
    When it is written, `keep` is called with the files that it supersedes, which go then (see
    `Replicate.keep`). On a terminal progress is shown on the line `number` of those that replicates
    share. Ranks other than the leader only train: their history has no rows, and they do not call
    `after`.
    """
    history = _resumed(run, folder)
    if not leads():
        return _trained(run)
    saved = time.monotonic()
    cost = 0.0
    with _bar(run, f"{name} {number}", number) as bar:
        while run.epoch < run.rates.epochs:
            begun = time.monotonic()
            loss = run.advance()
            if not from_leader(run.finite):
                return _diverged(history, run.divergence(run.epoch, loss))
            speed = run.rates.steps_per_epoch * run.recipe.batch_size / (time.monotonic() - begun)
            history.add(run, loss)
            if after is not None:
                after(run)
            bar.set_postfix_str(_shown(history.rows[-1], speed), refresh=False)
            bar.update()
            now = time.monotonic()
            if cost <= SAVING_SHARE * (now - saved):
                _save(run, history, folder)
                _drop(sorted(folder.glob(PROGRESS))[:-GENERATIONS], keep)
                saved = time.monotonic()
                cost = saved - now
    return _diverged(history, _exploded(run, history))


@by_leader
def end(folder: Path, keep: Keep) -> None:
    """Keep the results of a run, which are written, without its progress, which is dropped."""
    _drop(list(folder.glob(PROGRESS)), keep)


def _trained(run: Run) -> History:
    while run.epoch < run.rates.epochs:
        run.advance()
        if not from_leader():
            break
    return _diverged(History(), None)


def _diverged(history: History, found: Divergence | None) -> History:
    """Return the history with what the leader found, on every rank."""
    history.diverged = Divergence.of(from_leader(found and asdict(found)))
    return history


def _exploded(run: Run, history: History) -> Divergence | None:
    columns = history.columns()
    losses, accuracies = (columns[key].tolist() for key in ("train_loss", "validation_accuracy"))
    chance = Chance.of(run.data.validation.labels.cpu().bincount().tolist())
    epoch = exploded(losses, accuracies, run.data.classes, chance)
    return None if epoch is None else run.divergence(epoch, losses[epoch - 1])


def _bar(run: Run, label: str, line: int) -> "tqdm[Never]":
    return tqdm(
        total=run.rates.epochs,
        initial=run.epoch,
        desc=label,
        position=line,
        leave=False,
        disable=None,
        dynamic_ncols=True,
        mininterval=REFRESH_SECONDS,
        bar_format="{desc}: epoch {n_fmt}/{total_fmt}{postfix}, {remaining} left",
    )


def _shown(row: Mapping[str, float], speed: float) -> str:
    part = "test" if math.isnan(row["validation_accuracy"]) else "validation"
    accuracy = 100 * row[f"{part}_accuracy"]
    return f"loss {row['train_loss']:.3f}, {part} {accuracy:.1f} %, {speed:,.0f} images/s"


def _save(run: Run, history: History, folder: Path) -> None:
    selected = {f"selected/{name}": array for name, array in history.selected.items()}
    columns = {f"history/{name}": array for name, array in history.columns().items()}
    meta = {"epoch": run.epoch, "best": history.best}
    path = folder / PROGRESS.replace("*", f"{run.epoch:08}")
    save_arrays(path, {**run.state(), **selected, **columns}, meta)


def _drop(superseded: Collection[Path], keep: Keep | None) -> None:
    if keep is not None:
        keep(superseded)
    for path in superseded:
        path.unlink()


def _resumed(run: Run, folder: Path) -> History:
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
