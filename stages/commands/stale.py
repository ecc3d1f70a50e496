"""Results that no arm of params.yaml makes: another study left them below reports/."""

from pathlib import Path
from typing import Any

from stages.pipeline.params import read_yaml

REPORTS = Path("reports")


def remove_stale_results() -> None:
    """Remove them before a run, whose runner records nothing of a stage that edits what it reads.

    `compare` does the same, for `dvc repro`. Where params.yaml names no arms, `validate` tells.
    """
    tree = read_yaml()
    prune = tree.get("prune")
    methods = {**_names(prune, "methods"), **_names(prune, "iterative")}
    schedules = _names(tree.get("retrain"), "schedules")
    if methods and schedules:
        from stages.results.files import remove_stale  # a third of a second

        remove_stale(REPORTS, methods, schedules)


def _names(group: Any, key: str) -> dict[str, Any]:
    found = group.get(key) if isinstance(group, dict) else None
    return found if isinstance(found, dict) else {}
