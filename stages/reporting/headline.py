"""The numbers that `dvc metrics` and `dvc exp` show: the headline, and every arm's accuracy."""

import math

import pandas as pd

from stages.reporting.measures import (
    dense_test,
    last_test,
    macs_kept,
    parameters_kept,
    pruned_test,
    selected_test,
)
from stages.results.files import Results
from stages.results.records import ArmResult, DenseResult, PrunedResult
from stages.statistics.estimates import estimate, paired


def headline(arm: ArmResult, pruned: PrunedResult, dense: DenseResult) -> dict[str, float | None]:
    """Test accuracies (mean and sd over replicates), the drop in points, the sizes kept.

    `diverged` is the number of the arm's replicates that did. Rounded to 3 decimals; None where
    there is no value: an sd of one replicate, a selected epoch without a validation split, what is
    averaged over replicates of which one diverged.
    """
    accuracies = {
        "dense": dense_test(dense),
        "pruned": pruned_test(pruned),
        "retrained": last_test(arm),
    }
    values = {name: value for key in accuracies for name, value in _pair(key, accuracies[key])}
    values |= {
        "selected": float(selected_test(arm).mean(skipna=False)),
        "drop": paired(accuracies["dense"], accuracies["retrained"], 0.95).mean,
        "parameters_kept": parameters_kept(arm, pruned, dense),
        "macs_kept": macs_kept(arm, dense),
    }
    rounded = {name: _rounded(value) for name, value in values.items()}
    return {**rounded, "diverged": len(arm.diverged)}


def arm_accuracies(results: Results) -> dict[str, float | None]:
    """Mean test accuracy in percent of every arm by its label; None where a replicate diverged."""
    arms = results.arms.values()
    values = {f"{arm.method}-{arm.schedule}": last_test(arm).mean(skipna=False) for arm in arms}
    return {label: _rounded(value) for label, value in values.items()}


def _pair(name: str, values: pd.Series) -> list[tuple[str, float]]:
    summary = estimate(values, 0.95)
    return [(name, summary.mean), (f"{name}_sd", summary.sd)]


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 3) + 0.0
