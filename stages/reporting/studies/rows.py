"""reports/results.csv: one row for every replicate of every arm of every study."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from stages.reporting.studies.kept import COSTS, Kept
from stages.reporting.studies.origins import compact

COLUMNS: Mapping[str, str] = {
    "study": "its name below reports/studies, or that of the study in reports/",
    "data": "`data.source`",
    "data_options": "the other keys of `data` that choose images, as JSON",
    "network": "`model.factory`",
    "network_options": "`model.options`, as JSON",
    "method": "the pruning method, by its name in params.yaml",
    "method_options": "its entry there, as JSON",
    "parameters_kept_percent": "parameters that it keeps, in percent of the dense network's",
    "macs_kept_percent": "multiply-accumulates of one forward pass, in percent of the dense one's",
    "schedule": "the retraining schedule, by its name in params.yaml",
    "start": "`final`, `rewound` or `fresh`",
    "curve": "the learning-rate curve",
    "schedule_options": "the other keys of its entry in params.yaml, as JSON",
    "dense_epochs": "E, epochs of the dense run",
    "epochs": "T, epochs of retraining of one round: their mean, where rounds differ",
    "rounds": "rounds of pruning and retraining; 1 unless the method is iterative",
    "retraining_macs_percent_of_dense_training": "the cost of all retraining",
    "seed": "of the replicate",
    "dense_test_top1_percent": "test accuracy of the dense network of that seed",
    "test_top1_percent": "after the last epoch of retraining: the headline measure",
    "selected_test_top1_percent": "at the epoch that validation accuracy selects",
    "best_of_test_top1_percent": "at the best epoch for the test data: biased upwards",
    "validation_top1_percent": "after the last epoch",
    "test_loss": "negative log-likelihood after the last epoch",
    "diverged_in_epoch": "where training diverged: such a row has no measures",
    "environment": "device, versions and precision it was trained with, as JSON; may be empty",
    "lock_entry": "the hash of the arm's entry of dvc.lock; may be empty",
}
"""The columns and what they hold."""
ELSEWHERE = ("source", "root")
"""Keys of `data` that are a column of their own, or say where the files are on one machine."""
APART = ("start", "curve", "epochs")
"""Keys of a schedule that are columns of their own."""


def rows(studies: Sequence[Kept]) -> pd.DataFrame:
    """The table of all studies, in their order and that of their arms."""
    empty = pd.DataFrame(columns=[*COLUMNS])
    return pd.concat([_rows(study) for study in studies] or [empty], ignore_index=True)


def _rows(study: Kept) -> pd.DataFrame:
    runs, arms = study.tables["replicates"], study.tables["arms"]
    keys = ["method", "schedule"]
    joined = runs.merge(arms[[*keys, "start", "curve", "rounds", *COSTS]], on=keys, how="left")
    joined = joined.merge(study.origins, on=keys, how="left")
    joined = joined.assign(
        study=study.name,
        data=study.data,
        data_options=compact(without(study.dense["data"], *ELSEWHERE)),
        network=study.network,
        network_options=compact(study.dense["model"].get("options") or {}),
        method_options=joined.method.map(lambda name: compact(study.methods[name])),
        schedule_options=joined.schedule.map(
            lambda name: compact(without(study.schedules[name], *APART))
        ),
        dense_epochs=study.dense_epochs,
        diverged_in_epoch=joined.diverged_in_epoch.astype("Int64"),
    )
    return joined[[*COLUMNS]]


def without(settings: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return settings but for some keys."""
    return {key: value for key, value in settings.items() if key not in keys}
