"""Accuracy against budget: every cell, as the papers' figures and tables have it."""

from collections.abc import Mapping, Sequence

import pandas as pd

from stages.params.compare import Compare
from stages.reporting.findings import Findings
from stages.reporting.markdown import code, count, level, mean_sd, table, with_interval
from stages.reporting.measures import last_test, to_dense
from stages.reporting.records import Arm
from stages.reporting.results import Study
from stages.reporting.statistics import estimate


def has_budgets(lines: Mapping[str, Sequence[str]]) -> bool:
    """Whether some schedule was run with several budgets."""
    return any(len(names) > 1 for names in lines.values())


def section(found: Findings) -> str:
    """Every method's differences to the dense network, schedules down, budgets across."""
    note = (
        "Each cell holds the paired difference to the dense network in points with its "
        f"{level(found.settings.confidence)} interval, and below it the test accuracy in percent. "
        "Bold: the winner of that budget."
    )
    return "\n\n".join([*(_method(found, method) for method in found.study.methods), note])


def budgets_table(
    study: Study, settings: Compare, lines: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Every cell of accuracy against budget, one row each."""
    return pd.DataFrame(
        [
            {
                "method": method,
                "line": line,
                "epochs": arm.epochs,
                "replicates": score.n,
                "test_top1_percent_mean": score.mean,
                "test_top1_percent_sd": score.sd,
                "difference_to_dense_points_mean": dense.mean,
                "difference_to_dense_points_low": dense.low,
                "difference_to_dense_points_high": dense.high,
            }
            for method in study.methods
            for line, names in lines.items()
            for arm in sorted((study.arms[method, name] for name in names), key=_epochs)
            for score in [estimate(last_test(arm), settings.confidence)]
            for dense in [to_dense(study, settings, arm)]
        ]
    )


def _epochs(arm: Arm) -> int:
    return arm.epochs


def _method(found: Findings, method: str) -> str:
    study = found.study
    epochs = sorted({arm.epochs for arm in study.of(method)})
    winners = {verdict.contest.winner for verdict in found.verdicts if verdict.method == method}
    rows = []
    for line, names in found.lines.items():
        arms = {study.arms[method, name].epochs: study.arms[method, name] for name in names}
        cells = [_cell(found, arms[n], winners) if n in arms else "–" for n in epochs]
        rows.append([code(line), *cells])
    return table([code(method), *(count(number, "epoch") for number in epochs)], rows)


def _cell(found: Findings, arm: Arm, winners: set[str | None]) -> str:
    difference = with_interval(to_dense(found.study, found.settings, arm))
    shown = f"**{difference}**" if arm.schedule in winners else difference
    return f"{shown}<br>{mean_sd(last_test(arm))}"
