"""How far retraining moved the weights from those of the dense network that pruning left."""

from collections.abc import Callable

import pandas as pd

from stages.reporting.measures import moved_distance, moved_signs
from stages.reporting.report import Report, Section
from stages.reporting.tables import folded, markdown, mean_columns, mean_sd
from stages.reporting.words import code
from stages.results.records import ArmResult

MEASURES: dict[str, Callable[[ArmResult], pd.Series]] = {
    "distance": moved_distance,
    "signs flipped, %": moved_signs,
}


def find(report: Report) -> Report | None:
    """Return the report; None where the records do not say it."""
    known = [moved_distance(arm).notna().any() for arm in report.results.arms.values()]
    return report if any(known) else None


def text(report: Report) -> str:
    """What the two measures are, and a table: schedules down, methods across."""
    results = report.results
    header = ["Schedule", *(f"{code(m)}: {name}" for m in results.methods for name in MEASURES)]
    rows = [
        [code(schedule)]
        + [
            mean_sd(measure(results.arms[method, schedule]), decimals)
            for method in results.methods
            for measure, decimals in zip(MEASURES.values(), (3, 2), strict=True)
        ]
        for schedule in results.schedules
    ]
    note = (
        "Distance: ‖W − W′‖ / ‖W′‖ over all parameters that are left, W after retraining and W′ as "
        "in the dense network, whatever an arm started from. Signs flipped: the part of them whose "
        "sign is another."
    )
    return f"{note}\n\n{folded('Every arm', markdown(header, rows))}"


def table(report: Report) -> pd.DataFrame:
    """One row per arm."""
    return pd.DataFrame(
        [
            {
                "method": arm.method,
                "schedule": arm.schedule,
                **mean_columns("distance_to_dense", moved_distance(arm)),
                **mean_columns("signs_flipped_percent", moved_signs(arm)),
            }
            for arm in report.results.arms.values()
        ]
    )


SECTION = Section("moved", "How far the weights moved", find, text, table)
