"""What the page says of every arm, and of every study."""

import json
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from stages.reporting.keys import written
from stages.reporting.studies.agreement import Recomputed
from stages.reporting.studies.kept import Kept
from stages.statistics.estimates import Estimate, estimate
from stages.statistics.verdicts import verdict

DECIMALS = 3
"""Decimals of all numbers: those of the tables they come from."""
MEASURED = ("dense_test_top1_percent", "test_top1_percent", "test_loss")


def study_of(study: Kept) -> dict[str, Any]:
    """What all arms of a study have in common; `page` is seen from reports/."""
    return {
        "name": study.name,
        "title": study.title,
        "page": f"studies/{study.page}".replace("studies/../", ""),
        "data": study.data,
        "network": study.network,
        "confidence": round(100 * Recomputed(study).confidence, DECIMALS),
        "margin": study.compare.margin,
        "settings": f"{written(study.settings, flow=False)}\n",
    }


def arms(study: Kept, present: bool) -> Iterator[dict[str, Any]]:
    """Yield every arm of a study, `present` where it is the one in reports/."""
    ours = Recomputed(study)
    made = {(row.method, row.schedule): row for row in study.origins.itertuples()}
    for row in study.tables["arms"].itertuples():
        method, schedule = str(row.method), str(row.schedule)
        origin, epochs = made.get((method, schedule)), ours.epochs[method, schedule]
        yield {
            "study": study.name,
            "method": method,
            "schedule": schedule,
            "line": study.line_of[schedule],
            "kept": round(float(str(row.parameters_kept_percent)), 1),
            "epochs": int(epochs) if epochs.is_integer() else epochs,
            "dense_epochs": study.dense_epochs,
            "rounds": row.rounds,
            "cost": round(float(str(row.retraining_macs_percent_of_dense_training)), 1),
            "settings": written(study.schedules[schedule]),
            "method_settings": written(study.methods[method]),
            "environment": json.loads(str(origin.environment)) if origin else None,
            "lock": origin.lock_entry if origin and isinstance(origin.lock_entry, str) else None,
            "again": commands(study, method, schedule, present),
            "runs": _runs(study.tables["replicates"], method, schedule),
            **_compared(ours, method, schedule),
        }


def commands(study: Kept, method: str, schedule: str, present: bool) -> list[str]:
    """Return the command lines that make this arm again."""
    iterative = "_iterative" * (method in (study.settings["prune"].get("iterative") or {}))
    settings = [] if present else [f"cp reports/studies/{study.name}/params.yaml params.yaml"]
    return [*settings, f"afterprune run evaluate{iterative}@{method}-{schedule}"]


def _compared(ours: Recomputed, method: str, schedule: str) -> dict[str, Any]:
    """Return an arm's accuracy and its differences to dense network and baseline."""
    scores, to_baseline = ours.values(method, schedule), ours.to_baseline(method, schedule)
    judged = to_baseline and verdict(to_baseline, ours.study.compare.margin, ours.levels)
    return {
        "test": _interval(estimate(scores, ours.confidence)),
        "to_dense": _interval(ours.to_dense(method, schedule)),
        "to_baseline": to_baseline and _interval(to_baseline),
        "baseline": ours.baseline(method, schedule),
        "verdict": judged,
    }


def _runs(table: pd.DataFrame, method: str, schedule: str) -> list[list[float | None]]:
    """Return seed, dense accuracy, accuracy and loss of every replicate."""
    ours = table[(table.method == method) & (table.schedule == schedule)]
    return [[row.seed, *(_number(row[name]) for name in MEASURED)] for _, row in ours.iterrows()]


def _interval(value: Estimate) -> list[float | None]:
    return [_number(value.mean), _number(value.low), _number(value.high)]


def _number(value: float) -> float | None:
    """Return a number as JSON has it: none for NaN."""
    return None if math.isnan(value) else round(float(value), DECIMALS)
