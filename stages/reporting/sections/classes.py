"""Accuracy class by class: which classes the dense network's answers are lost in."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.reporting.recommendation import recommend
from stages.reporting.report import Report, Section
from stages.reporting.tables import (
    interval_columns,
    markdown,
    mean_columns,
    mean_sd,
    with_interval,
)
from stages.reporting.words import code, level
from stages.results.records import ArmResult, Retrained, Untrained
from stages.statistics.estimates import Estimate, bonferroni, paired

SHOWN = 3
"""Classes of each method on the page, the most harmed first."""


@dataclass(frozen=True)
class OfClass:
    """One class under one arm: accuracies in percent by seed, and the arm's minus the dense one's.

    The interval holds for all classes of an arm together (Bonferroni), as the most harmed are
    picked among them.
    """

    arm: ArmResult
    name: str
    images: int
    dense: "pd.Series[float]"
    ours: "pd.Series[float]"
    difference: Estimate


@dataclass(frozen=True)
class Classes:
    """Every class under every arm that finished; of each method those of its best arm."""

    every: Sequence[OfClass]
    best: dict[str, list[OfClass]]
    confidence: float


def find(report: Report) -> Classes | None:
    """Compare every class; None where the records do not count classes."""
    dense = report.results.dense
    if not dense.class_images or not all(run.class_correct for run in dense.replicates):
        return None
    arms = [arm for arm in report.results.arms.values() if _counted(arm)]
    every = [each for arm in arms for each in _by_class(report, arm)]
    best = {}
    for method in report.results.methods:
        found = recommend(report, method)
        best[method] = [each for each in every if found and each.arm is found.best]
    return Classes(every, best, report.settings.confidence)


def text(found: Classes) -> str:
    """The most harmed classes of every method's recommended arm."""
    rows = [
        [code(method), code(each.arm.schedule), _cell(each.name), str(each.images), *_numbers(each)]
        for method, group in found.best.items()
        for each in sorted(group, key=lambda each: each.difference.mean)[:SHOWN]
    ]
    header = ["Method", "Arm", "Class", "Images", "Dense, %", "Arm, %", "Difference, points"]
    note = (
        f"Of each method's recommended arm the {SHOWN} classes that lose most against the dense "
        f"network, paired by seed; the {level(found.confidence)} intervals hold for all classes of "
        "an arm together, since these are picked as the worst."
    )
    return f"{note}\n\n{markdown(header, rows, left=3)}"


def table(found: Classes) -> pd.DataFrame:
    """One row per arm and class."""
    return pd.DataFrame(
        [
            {
                "method": each.arm.method,
                "schedule": each.arm.schedule,
                "class": each.name,
                "test_images": each.images,
                **mean_columns("dense_percent", each.dense),
                **mean_columns("test_top1_percent", each.ours),
                **interval_columns("difference_to_dense_points", each.difference),
            }
            for each in found.every
        ]
    )


def _counted(arm: ArmResult) -> bool:
    return not arm.diverged and all(run.class_correct for run in arm.replicates)


def _by_class(report: Report, arm: ArmResult) -> list[OfClass]:
    dense = report.results.dense
    images = dict(zip(dense.classes, dense.class_images, strict=True))
    ours, theirs = (_accuracies(runs, images) for runs in (arm.replicates, dense.replicates))
    there = [name for name, number in images.items() if number]
    confidence = bonferroni(report.settings.confidence, len(there))
    return [
        OfClass(
            arm,
            name,
            images[name],
            theirs[name],
            ours[name],
            paired(ours[name], theirs[name], confidence),
        )
        for name in there
    ]


def _accuracies(runs: Sequence[Untrained | Retrained], images: dict[str, int]) -> pd.DataFrame:
    """Return accuracies in percent, seeds by classes; NaN for a class without images."""
    right = np.array([run.class_correct for run in runs], float)
    total = np.array(list(images.values()), float)
    with np.errstate(invalid="ignore"):
        percent = 100 * right / total
    return pd.DataFrame(percent, index=[run.seed for run in runs], columns=list(images))


def _numbers(each: OfClass) -> list[str]:
    return [mean_sd(each.dense), mean_sd(each.ours), with_interval(each.difference)]


def _cell(name: str) -> str:
    """Return the name of a class, which may be that of any folder, as a table's cell."""
    return code(name.replace("|", "\\|"))


SECTION = Section("classes", "Which classes lose", find, text, table)
