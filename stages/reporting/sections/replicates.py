"""Every replicate of every arm: the values that all else is computed from, as a table alone."""

import math

import pandas as pd

from stages.reporting.measures import (
    best_test,
    dense_test,
    last_nll,
    last_test,
    last_validation,
    selected_test,
)
from stages.reporting.report import Report, Section

MEASURES = {
    "test_top1_percent": last_test,
    "selected_test_top1_percent": selected_test,
    "best_of_test_top1_percent": best_test,
    "validation_top1_percent": last_validation,
    "test_loss": last_nll,
}


def find(report: Report) -> Report:
    """Every study has replicates."""
    return report


def table(report: Report) -> pd.DataFrame:
    """One row per arm and seed; a replicate that diverged has no values, but its epoch."""
    dense = dense_test(report.results.dense)
    rows = []
    for arm in report.results.arms.values():
        values = {name: measure(arm) for name, measure in MEASURES.items()}
        gone = {run.seed: float(run.epoch) for run in arm.diverged}
        rows += [
            {
                "method": arm.method,
                "schedule": arm.schedule,
                "epochs": arm.epochs,
                "seed": seed,
                "dense_test_top1_percent": float(dense[seed]),
                **{name: float(series[seed]) for name, series in values.items()},
                "diverged_in_epoch": gone.get(seed, math.nan),
            }
            for seed in arm.seeds
        ]
    return pd.DataFrame(rows)


SECTION = Section("replicates", "Every replicate", find, table=table)
