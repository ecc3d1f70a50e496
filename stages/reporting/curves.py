"""Accuracy by epoch: a CSV per method, which `dvc plots` draws with .dvc/plots/arms.json."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from stages.pipeline.files import write_text
from stages.reporting.tables import as_csv
from stages.results.files import Results
from stages.results.records import ArmResult, History


def write_curves(folder: Path, results: Results) -> None:
    """Write the arms of each method, one below the other, to <method>.csv."""
    for method in results.methods:
        table = pd.concat([epoch_table(arm) for arm in results.of(method)])
        write_text(folder / f"{method}.csv", as_csv(table))


def epoch_table(arm: ArmResult) -> pd.DataFrame:
    """One arm by epoch: accuracies in percent, means over replicates; learning rate at mid-epoch.

    `lowest` and `highest` are the test accuracies that replicates have then; the learning rate is
    that of the nearest recorded step. The table ends with the last epoch that all replicates
    reached: one that diverged may have stopped before the others.
    """
    held_out = [history.validation_accuracy for history in histories(arm)]
    validation = [100 * np.mean(values) for values in zip(*filter(None, held_out), strict=False)]
    reached = min(len(history.test_accuracy) for history in histories(arm))
    test, epochs = accuracies(arm)[:, :reached], np.arange(reached)
    steps = np.asarray(arm.points.step)
    before = steps[-1] + 1 - arm.last_epochs * arm.steps_per_epoch  # of rounds that share a budget
    middle = before + (epochs + 0.5) * arm.steps_per_epoch
    nearest = np.abs(steps[None, :] - middle[:, None]).argmin(axis=1)
    return pd.DataFrame(
        {
            "schedule": arm.schedule,
            "epoch": epochs + 1,
            "test_accuracy": test.mean(axis=0),
            "lowest": test.min(axis=0),
            "highest": test.max(axis=0),
            "validation_accuracy": validation or math.nan,
            "lr": [f"{arm.points.lr[index]:.6g}" for index in nearest],
        }
    )


def accuracies(arm: ArmResult) -> np.ndarray:
    """An arm's test accuracies in percent, [replicates, epochs], NaN after a divergence."""
    found = np.full((len(arm.seeds), arm.last_epochs), math.nan)
    for row, history in zip(found, histories(arm), strict=True):
        row[: len(history.test_accuracy)] = history.test_accuracy
    return 100 * found


def histories(arm: ArmResult) -> list[History]:
    """The histories of an arm's replicates, those that diverged last."""
    return [run.history for run in arm.replicates] + [run.history for run in arm.diverged]
