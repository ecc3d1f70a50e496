"""Lines: schedules that differ in their epochs alone; and what an entry changes besides them."""

import json
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from stages.pipeline.params import PARAMS, parse
from stages.retraining.settings import Schedule
from stages.retraining.technique import Technique


def is_plain(entry: Mapping[str, Any], name: str, file: Path = PARAMS) -> bool:
    """Whether an entry of retrain.schedules changes the rates, momentum and the start alone."""
    return not (entry.get("peak") is not None or technique(entry, name, file))


def technique(entry: Mapping[str, Any], name: str, file: Path = PARAMS) -> dict[str, Any]:
    """Return what an entry changes of the training itself: keys that are not at their defaults.

    A Fault names a value in `file` that is none.
    """
    known = {"start", *Technique.model_fields}
    given = {key: value for key, value in entry.items() if key in known}
    parsed: Schedule = parse(Schedule, given, f"retrain.schedules.{name}", file)
    return parsed.technique().changed()


def lines_of(schedules: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
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


def _label(names: Sequence[str]) -> str:
    """Return the words that all names begin with, without numbers; the first name if none."""
    words = zip(*(name.rstrip("0123456789").split("_") for name in names), strict=False)
    common = takewhile(lambda same: len(set(same)) == 1, words)
    head = "_".join(word for word, *_ in common).rstrip("_")
    return names[0] if len(names) == 1 else head or names[0]
