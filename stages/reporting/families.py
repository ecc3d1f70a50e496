"""Schedules that differ in budget alone: one line in figures and tables."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from stages.reporting.results import Study


def families(schedules: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Join the schedules that differ in `epochs` alone: label -> names, in the given order."""
    groups: dict[str, list[str]] = {}
    for name, settings in schedules.items():
        rest = {key: value for key, value in settings.items() if key != "epochs"}
        groups.setdefault(json.dumps(rest, sort_keys=True), []).append(name)
    labels = [_label(names) for names in groups.values()]
    return {
        label if labels.count(label) == 1 else names[0]: names
        for label, names in zip(labels, groups.values(), strict=True)
    }


def representatives(study: Study, lines: Mapping[str, Sequence[str]], baseline: str) -> list[str]:
    """Of each family the schedule whose budget is nearest to the baseline arm's."""
    method = study.methods[0]
    budget = study.arms[method, baseline].epochs

    def distance(schedule: str) -> int:
        return abs(study.arms[method, schedule].epochs - budget)

    return [min(names, key=distance) for names in lines.values()]


def _label(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    head = names[0].rstrip("0123456789").rstrip("_")
    return head if all(name.startswith(head) for name in names) else names[0]
