"""From one arm to another, one change at a time: which of them carries the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from stages.params.compare import Compare
from stages.reporting.measures import last_test
from stages.reporting.results import Study
from stages.reporting.statistics import Estimate, bonferroni, paired


@dataclass(frozen=True)
class Step:
    """From one arm to the next: the settings that change, and the differences by seed."""

    first: str
    second: str
    changes: Sequence[str]
    by_seed: "pd.Series[float]"
    difference: Estimate
    confidence: float

    @property
    def resolved(self) -> bool:
        """Whether the interval lies off 0."""
        return self.difference.above_zero or self.difference.below_zero


@dataclass(frozen=True)
class Ablation:
    """One method's way along `compare.path`: its steps, and all of it at once."""

    method: str
    steps: Sequence[Step]
    whole: Step


def ablations(study: Study, settings: Compare, entries: Mapping[str, Any]) -> list[Ablation]:
    """Return every method's way along `compare.path`; `entries` are the schedules' settings.

    Differences are those of last-epoch test accuracy in points, later arm minus earlier, paired by
    seed. Single steps have Bonferroni-adjusted intervals, which hold together at the confidence
    asked for.
    """
    names = settings.path
    if len(names) < 2:
        return []
    adjusted = bonferroni(settings.confidence, len(names) - 1)
    return [
        Ablation(
            method,
            [_step(study, method, entries, *pair, adjusted) for pair in pairwise(names)],
            _step(study, method, entries, names[0], names[-1], settings.confidence),
        )
        for method in study.methods
    ]


def ablation_table(found: Sequence[Ablation]) -> pd.DataFrame:
    """Every step of every method, and the whole way in the method's last row."""
    return pd.DataFrame(
        [
            {
                "method": ablation.method,
                "first": step.first,
                "second": step.second,
                "changes": "; ".join(step.changes),
                "replicates": step.difference.n,
                "difference_points_mean": step.difference.mean,
                "difference_points_low": step.difference.low,
                "difference_points_high": step.difference.high,
                "difference_points_sd": step.difference.sd,
                "confidence_percent": 100 * step.confidence,
            }
            for ablation in found
            for step in (*ablation.steps, ablation.whole)
        ]
    )


def _step(
    study: Study,
    method: str,
    entries: Mapping[str, Any],
    first: str,
    second: str,
    confidence: float,
) -> Step:
    before, after = (last_test(study.arms[method, name]) for name in (first, second))
    difference = paired(after, before, confidence)
    changes = _changes(entries[first], entries[second])
    return Step(first, second, changes, after - before, difference, confidence)


def _changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    return [
        f"{key}: {first.get(key, 'default')} → {second.get(key, 'default')}"
        for key in dict.fromkeys([*first, *second])
        if first.get(key) != second.get(key)
    ]
