"""The history of a run: a row an epoch, and the network that is best on validation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from stages.training.divergence import Divergence
from stages.training.loop import Run

COLUMNS = ("epoch", "lr", "momentum", "train_loss", "validation_accuracy", "test_accuracy")
Row = dict[str, float]


@dataclass
class History:
    """What a run leaves: one row an epoch, and the tensors of the network best on validation.

    A row has epoch (from 1), lr and momentum of its first step, train_loss, validation_accuracy
    (NaN without validation images) and test_accuracy (NaN where the run is not tested). Among
    epochs of equal validation accuracy the last is selected; without validation images the last of
    all. Where the run `diverged`, an epoch that is not finite has no row.
    """

    rows: list[Row] = field(default_factory=list)
    selected: dict[str, np.ndarray] = field(default_factory=dict)
    best: float = -1.0
    diverged: Divergence | None = None

    def add(self, run: Run, loss: float, tested: bool = True) -> None:
        """Record the epoch that just ended."""
        step = (run.epoch - 1) * run.rates.steps_per_epoch
        validation = run.accuracy(run.data.validation)
        test = run.accuracy(run.data.test) if tested else None
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
            tensors = run.result.state_dict().items()
            self.selected = {name: t.detach().cpu().numpy().copy() for name, t in tensors}

    def columns(self) -> dict[str, np.ndarray]:
        """Return the rows as float64 columns [epochs]."""
        return columns_of(self.rows)


def columns_of(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Return rows as float64 columns [rows]."""
    return {name: np.array([row[name] for row in rows], np.float64) for name in COLUMNS}
