"""Schedules that differ in budget alone: one line in figures and tables."""

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
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
    """Return the words that all names begin with, without numbers; the first name if none."""
    words = zip(*(name.rstrip("0123456789").split("_") for name in names), strict=False)
    common = takewhile(lambda same: len(set(same)) == 1, words)
    head = "_".join(word for word, *_ in common).rstrip("_")
    return names[0] if len(names) == 1 else head or names[0]
