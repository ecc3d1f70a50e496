"""Every arm: its accuracies, its differences to the baseline and the dense network, its cost."""

import math
from collections.abc import Sequence

import pandas as pd

from stages.reporting.arms_figure import arms_figure
from stages.reporting.cautions import repairs
from stages.reporting.crossing import changes, is_crossed
from stages.reporting.measures import (
    best_test,
    last_nll,
    last_test,
    last_validation,
    macs_kept,
    parameters_kept,
    selected_test,
    total_cost,
    training_cost,
)
from stages.reporting.report import Report, Section
from stages.reporting.tables import (
    accuracy,
    finished,
    interval_columns,
    interval_names,
    markdown,
    mean_columns,
    mean_sd,
    with_interval,
)
from stages.reporting.words import capital, code, decimal, level
from stages.results.files import repeated
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate

NEW_IMAGES = "for_new_images_low", "for_new_images_high"
"""Columns of the interval of a difference that holds for new seeds and new test images."""
NOTHING = Estimate(math.nan, math.nan, 0, math.nan, math.nan)


def find(report: Report) -> Report:
    """Every study has arms."""
    return report


def text(report: Report) -> str:
    """The caption, and a table per pruning method."""
    budget = " and budget, where it has that budget" if report.has_budgets else ""
    bars = (
        f"bars are {level(report.settings.confidence)} intervals (an arrow: cut at the edge)"
        if repeated(report.results)
        else "without intervals, since there is one replicate"
    )
    caption = (
        "Left: the learning rate over the arm's own run. Middle: test accuracy; open dots are "
        "replicates, ticks their means, the dashed line is the dense network, a dotted one the "
        "pruned network, where it is in range. Right: the paired difference to "
        f"{code(report.baseline)} of the same method{budget}. {capital(bars)}."
    )
    methods = report.results.methods
    notes = [note] if (note := repairs(report)) else []
    return "\n\n".join(
        [caption, *notes, *(f"### {code(m)}\n\n{_rows(report, m)}" for m in methods)]
    )


def table(report: Report) -> pd.DataFrame:
    """Every arm: settings, accuracies, paired differences, size and cost of retraining."""
    return pd.DataFrame([_record(report, arm) for arm in report.results.arms.values()])


def _rows(report: Report, method: str) -> str:
    arms = report.results.of(method)
    arms = sorted(arms, key=lambda arm: (arm.epochs, bool(arm.diverged), -last_test(arm).mean()))
    validated = any(last_validation(arm).notna().any() for arm in arms)
    header = ["Schedule", "Differs in", "Epochs", "Test, %", "vs baseline, points"]
    header += ["vs dense, points"]
    header += ["Selected, %"] * validated + ["Best of test, %", "Cost, %", "n"]
    return markdown(header, [_row(report, arm, validated) for arm in arms], left=2)


def _row(report: Report, arm: ArmResult, validated: bool) -> list[str]:
    to_baseline = report.to_baseline(arm)
    name = code(arm.schedule) + ("" if to_baseline else " (baseline)")
    bold = "**" if arm.schedule in report.winners(arm.method) else ""
    return [
        f"{bold}{name}{bold}",
        _differs_in(changes(report, arm, report.baseline_of(arm))),
        decimal(arm.epochs),
        f"{bold}{accuracy(arm)}{bold}",
        with_interval(to_baseline) if to_baseline else "–",
        with_interval(report.to_dense(arm)),
        *([mean_sd(selected_test(arm))] if validated else []),
        mean_sd(best_test(arm)),
        f"{training_cost(arm, report.results.dense):.0f}",
        finished(arm),
    ]


def _differs_in(keys: Sequence[str]) -> str:
    names = ", ".join(code(key) for key in keys)
    return f"{names} (crossed)" if is_crossed(keys) else names or "–"


def _record(report: Report, arm: ArmResult) -> dict[str, object]:
    dense, pruned = report.results.dense, report.results.pruned[arm.method]
    return {
        "method": arm.method,
        "schedule": arm.schedule,
        "start": arm.start,
        "curve": arm.curve,
        "epochs": arm.epochs,
        "rounds": arm.rounds,
        "replicates": len(arm.seeds),
        "diverged": len(arm.diverged),
        **mean_columns("test_top1_percent", last_test(arm)),
        **mean_columns("selected_test_top1_percent", selected_test(arm)),
        **mean_columns("best_of_test_top1_percent", best_test(arm)),
        **mean_columns("validation_top1_percent", last_validation(arm)),
        "test_loss_mean": float(last_nll(arm).mean(skipna=False)),
        **interval_columns("difference_to_baseline_points", report.to_baseline(arm) or NOTHING),
        **interval_columns("difference_to_dense_points", report.to_dense(arm)),
        "parameters_kept_percent": parameters_kept(arm, pruned, dense),
        "macs_kept_percent": macs_kept(arm, dense),
        "file_bytes": arm.file_bytes,
        "retraining_macs_percent_of_dense_training": training_cost(arm, dense),
        "total_macs_percent_of_dense_training": total_cost(arm, dense),
        "total_epochs": dense.epochs + arm.retraining_epochs,
    }


def _for_new_images(report: Report, arm: ArmResult) -> dict[str, float]:
    found = report.for_new_images(arm, report.baseline_of(arm))
    ends = (found.low, found.high) if found else (math.nan, math.nan)
    return dict(zip(NEW_IMAGES, ends, strict=True))


def _comparisons(report: Report) -> pd.DataFrame:
    """Every arm against its baseline, paired by seed, not adjusted."""
    name = "difference_points"
    columns = ["method", "schedule", "baseline", "differ_in", "crossed", "replicates"]
    columns += interval_names(name)
    columns += [f"{name}_sd", *NEW_IMAGES, "confidence_percent", "verdict", "repeat_chance"]
    rows = [
        {
            "method": arm.method,
            "schedule": arm.schedule,
            "baseline": report.baseline_of(arm).schedule,
            "differ_in": " ".join(differing := changes(report, arm, report.baseline_of(arm))),
            "crossed": "yes" if is_crossed(differing) else "no",
            "replicates": difference.n,
            **interval_columns(name, difference),
            f"{name}_sd": difference.sd,
            **_for_new_images(report, arm),
            "confidence_percent": 100 * report.settings.confidence,
            "verdict": report.verdict(difference),
            "repeat_chance": report.repeats(difference),
        }
        for arm in report.results.arms.values()
        if (difference := report.to_baseline(arm))
    ]
    return pd.DataFrame(rows, columns=columns)


SECTION = Section("arms", "Every arm", find, text, table, arms_figure)
PAIRED = Section("paired", "Every arm against the baseline", find, table=_comparisons)
