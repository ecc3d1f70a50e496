"""Every arm by epoch, for `dvc plots`."""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from stages.files import write_text
from stages.reporting.records import Arm
from stages.reporting.results import Study
from stages.reporting.tables import as_csv


def write_curves(folder: Path, study: Study) -> None:
    """Write one CSV per arm, the folder that `dvc plots` draws."""
    for (method, schedule), arm in study.arms.items():
        write_text(folder / f"{method}-{schedule}.csv", as_csv(epoch_table(arm)))


def epoch_table(arm: Arm) -> pd.DataFrame:
    """One arm by epoch: learning rate at mid-epoch, accuracies in percent, means over replicates.

    The learning rate is that of the nearest recorded step.
    """
    accuracy = np.array([run.history.test_accuracy for run in arm.replicates])
    held_out = [run.history.validation_accuracy for run in arm.replicates]
    epochs = np.arange(accuracy.shape[1])
    validation = [100 * np.mean(values) for values in zip(*filter(None, held_out), strict=True)]
    steps = np.asarray(arm.curve_points.step)
    middle = (epochs + 0.5) * arm.steps_per_epoch
    nearest = np.abs(steps[None, :] - middle[:, None]).argmin(axis=1)
    return pd.DataFrame(
        {
            "epoch": epochs + 1,
            "lr": [f"{arm.curve_points.lr[index]:.6g}" for index in nearest],
            "test_accuracy": 100 * accuracy.mean(axis=0),
            "validation_accuracy": validation or math.nan,
        }
    )
