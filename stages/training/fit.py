"""A whole run: its epochs, their history, and what is kept of them should it be stopped."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path

from stages.replicates.ranks import from_leader, leads
from stages.training.display import display
from stages.training.divergence import Chance, Divergence, exploded
from stages.training.history import History
from stages.training.loop import Run
from stages.training.progress import Keep, Progress, resumed, saving


def fit(
    run: Run,
    folder: Path,
    name: str,
    number: int,
    after: Callable[[Run], None] | None = None,
    keep: Keep | None = None,
    tested: bool = True,
) -> History:
    """Train `run` to the end of its rates, or until it diverges (see `training.divergence`).

    `after` is called at the end of every epoch that does not diverge. Its history has accuracies on
    validation data, and on test data where it is to be `tested`.

    Progress is saved in `folder`, so that a call after a crash goes on from there, to the same bits
    (`keep`: see `Saver`). It is shown, on a terminal on the line `number` of those that replicates
    share. Ranks other than the leader only train: their history has no rows, and they do not call
    `after`.
    """
    history = resumed(run, folder)
    if not leads():
        return _trained(run)
    with (
        saving(folder, keep) as progress,
        display(f"{name} {number}", run.rates.epochs, run.epoch, number) as show,
    ):
        while run.epoch < run.rates.epochs:
            begun = time.monotonic()
            loss = run.advance()
            if not from_leader(run.finite):
                return _diverged(history, run.divergence(run.epoch, loss))
            seconds = time.monotonic() - begun
            history.add(run, loss, tested)
            if after is not None:
                after(run)
            show(_shown(run, history.rows[-1], seconds))
            progress.take(Progress.of(run, history))
    return _diverged(history, _exploded(run, history))


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
    """Return the explosion that the run ends in, or a member of a soup that averages all."""
    columns, soup = history.columns(), run.extras.soup
    losses, accuracies = (columns[key].tolist() for key in ("train_loss", "validation_accuracy"))
    chance = Chance.of(run.data.validation.labels.cpu().bincount().tolist())
    length = len(losses)
    if soup and not soup.greedy:
        length = soup.epochs  # of a member, whose last accuracy is not known: it is the soup's
        accuracies[length - 1 :: length] = [math.nan] * (len(losses) // length)
    for first in range(0, len(losses), max(1, length)):
        own = slice(first, first + length)
        epoch = exploded(losses[own], accuracies[own], run.data.classes, chance)
        if epoch is not None:
            return run.divergence(first + epoch, losses[first + epoch - 1])
    return None


def _shown(run: Run, row: Mapping[str, float], seconds: float) -> str:
    speed = run.rates.steps_per_epoch * run.recipe.batch_size / seconds
    known = ((part, row[f"{part}_accuracy"]) for part in ("validation", "test"))
    accuracy = next((f"{part} {100 * a:.1f} %, " for part, a in known if not math.isnan(a)), "")
    return f"loss {row['train_loss']:.3f}, {accuracy}{speed:,.0f} images/s"
