"""The tables of a study, as data frames: one row per arm, network or comparison."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from stages.files import write_text
from stages.reporting.ablation import ablation_table
from stages.reporting.budgets import budgets_table, has_budgets
from stages.reporting.findings import Comparison, Crossed, Findings, Verdict
from stages.reporting.literature import claims_table
from stages.reporting.measures import (
    best_test,
    dense_test,
    last_loss,
    last_test,
    last_validation,
    macs_kept,
    parameters_kept,
    pruned_test,
    recalibrated_test,
    selected_test,
    to_dense,
    training_cost,
)
from stages.reporting.rankings import ranking_table, rankings
from stages.reporting.records import Arm, Baseline
from stages.reporting.results import Study
from stages.reporting.statistics import Estimate, estimate

DECIMALS = 3
NOTHING = Estimate(math.nan, math.nan, 0, math.nan, math.nan)


def arms_table(found: Findings) -> pd.DataFrame:
    """Every arm: settings, accuracies, paired differences, size and cost of retraining."""
    return pd.DataFrame([_arm_row(found, arm) for arm in found.study.arms.values()])


def baselines_table(study: Study) -> pd.DataFrame:
    """The dense and the pruned network of every method, before any retraining."""
    return pd.DataFrame(
        [
            {
                "method": baseline.method,
                "granularity": baseline.granularity,
                "network": name,
                "replicates": len(scores),
                **_mean_and_sd("test_top1_percent", scores),
                "parameters": network.parameters,
                "nonzero_parameters": network.nonzero,
                "macs_per_image": round(network.macs),
                "parameters_kept_percent": parameters_kept(network, baseline),
                "macs_kept_percent": macs_kept(network, baseline),
            }
            for baseline in study.baselines.values()
            for name, network, scores in (
                ("dense", baseline.dense, dense_test(baseline)),
                ("pruned", baseline.pruned, pruned_test(baseline)),
                ("recalibrated", baseline.pruned, recalibrated_test(baseline)),
            )
        ]
    )


def paired_table(found: Findings) -> pd.DataFrame:
    """Every arm against its baseline, paired by seed, not adjusted."""
    name = "difference_points"
    columns = ["method", "schedule", "baseline", "replicates", *_interval_names(name)]
    rows = [
        {
            "method": arm.method,
            "schedule": arm.schedule,
            "baseline": found.baseline_of(arm).schedule,
            "replicates": difference.n,
            **_interval(name, difference),
            f"{name}_sd": difference.sd,
            "confidence_percent": 100 * found.settings.confidence,
        }
        for arm in found.study.arms.values()
        if (difference := found.to_baseline(arm))
    ]
    return pd.DataFrame(rows, columns=[*columns, f"{name}_sd", "confidence_percent"])


def winners_table(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Per method and budget: the arm of the highest mean, and whether it wins."""
    return pd.DataFrame(
        [
            {
                "method": verdict.method,
                "epochs": verdict.epochs,
                "arms": 1 + len(verdict.contest.margins),
                "highest_mean": verdict.contest.best,
                "winner": verdict.contest.winner or "none",
                "not_distinguishable_from_highest": " ".join(verdict.contest.indistinct),
                "confidence_per_comparison_percent": 100 * verdict.contest.confidence,
            }
            for verdict in verdicts
        ]
    )


def crossed_table(study: Study, crossed: Crossed | None) -> pd.DataFrame:
    """The crossed comparison and the two under one schedule: both arms and their difference."""
    comparisons = [crossed.same_baseline, crossed.same_best, crossed.crossed] if crossed else []
    columns = [
        "comparison",
        "first",
        "second",
        "replicates",
        "first_test_top1_percent_mean",
        "second_test_top1_percent_mean",
        *_interval_names("difference_points"),
    ]
    rows = [_comparison_row(study, item) for item in comparisons if item]
    return pd.DataFrame(rows, columns=columns)


def write_tables(folder: Path, found: Findings) -> None:
    """Write every table of the study as CSV."""
    tables = {
        "arms": arms_table(found),
        "baselines": baselines_table(found.study),
        "paired": paired_table(found),
        "winners": winners_table(found.verdicts),
        "crossed": crossed_table(found.study, found.crossed),
        "claims": claims_table(found.claims),
    }
    if (ranked := rankings(found.study, found.settings)) is not None:
        tables["rankings"] = ranking_table(ranked)
    if has_budgets(found.lines):
        tables["budgets"] = budgets_table(found.study, found.settings, found.lines)
    if found.ablations:
        tables["ablation"] = ablation_table(found.ablations)
    for name, table in tables.items():
        write_text(folder / f"{name}.csv", as_csv(table))


def as_csv(table: pd.DataFrame) -> str:
    """Return a table as CSV text, floats with fixed decimals, without its index."""
    return fixed(table).to_csv(index=False, lineterminator="\n")


def fixed(table: pd.DataFrame) -> pd.DataFrame:
    """Turn floats into text of fixed decimals, and NaN into an empty cell."""
    floats = table.select_dtypes("float").columns
    return table.assign(**{name: table[name].map(_decimal) for name in floats})


def _arm_row(found: Findings, arm: Arm) -> dict[str, object]:
    study, settings = found.study, found.settings
    baseline: Baseline = study.baselines[arm.method]
    to_baseline = found.to_baseline(arm) or NOTHING
    return {
        "method": arm.method,
        "schedule": arm.schedule,
        "start": arm.start,
        "curve": arm.curve,
        "epochs": arm.epochs,
        "rounds": arm.rounds,
        "replicates": len(arm.replicates),
        **_mean_and_sd("test_top1_percent", last_test(arm)),
        **_mean_and_sd("selected_test_top1_percent", selected_test(arm)),
        **_mean_and_sd("best_of_test_top1_percent", best_test(arm)),
        **_mean_and_sd("validation_top1_percent", last_validation(arm)),
        "test_loss_mean": float(last_loss(arm).mean(skipna=False)),
        **_interval("difference_to_baseline_points", to_baseline),
        **_interval("difference_to_dense_points", to_dense(study, settings, arm)),
        "parameters_kept_percent": parameters_kept(arm, baseline),
        "macs_kept_percent": macs_kept(arm, baseline),
        "retraining_macs_percent_of_dense_training": training_cost(arm, baseline),
    }


def _comparison_row(study: Study, comparison: Comparison) -> dict[str, object]:
    first, second = study.arms[comparison.first], study.arms[comparison.second]
    return {
        "comparison": comparison.kind,
        "first": "-".join(comparison.first),
        "second": "-".join(comparison.second),
        "replicates": comparison.difference.n,
        "first_test_top1_percent_mean": float(last_test(first).mean()),
        "second_test_top1_percent_mean": float(last_test(second).mean()),
        **_interval("difference_points", comparison.difference),
    }


def _mean_and_sd(name: str, values: pd.Series) -> dict[str, float]:
    summary = estimate(values, 0.95)
    return {f"{name}_mean": summary.mean, f"{name}_sd": summary.sd}


def _interval(name: str, difference: Estimate) -> dict[str, float]:
    values = (difference.mean, difference.low, difference.high)
    return dict(zip(_interval_names(name), values, strict=True))


def _interval_names(name: str) -> list[str]:
    return [f"{name}_mean", f"{name}_low", f"{name}_high"]


def _decimal(value: float) -> str:
    return "" if math.isnan(value) else f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}"
