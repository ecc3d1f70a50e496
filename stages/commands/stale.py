"""Results that no arm of params.yaml makes: another study left them below reports/."""

from pathlib import Path
from typing import Any

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse, read_yaml

REPORTS = Path("reports")


def remove_stale_results() -> None:
    """Remove them before a run, whose runner records nothing of a stage that edits what it reads.

    `compare` does the same, for `dvc repro`. Settings that `validate` refuses remove nothing.
    """
    tree = read_yaml()
    prune = tree.get("prune")
    methods = {**_names(prune, "methods"), **_names(prune, "iterative")}
    schedules = _names(tree.get("retrain"), "schedules")
    arms = {(path.parent.name, path.stem) for path in REPORTS.glob("arms/*/*.json")}
    stale = [arm for arm in arms if arm[0] not in methods or arm[1] not in schedules]
    if stale and _valid(tree):
        from stages.results.files import remove_stale

        remove_stale(REPORTS, methods, schedules)


def _names(group: Any, key: str) -> dict[str, Any]:
    found = group.get(key) if isinstance(group, dict) else None
    return found if isinstance(found, dict) else {}


def _valid(tree: dict[str, Any]) -> bool:
    from stages.study.checks import check  # a third of a second, where something is stale
    from stages.study.settings import Study

    try:
        check(parse(Study, tree))
    except Fault:
        return False
    return True
