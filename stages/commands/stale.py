"""Results that no arm of params.yaml makes: another study left them below reports/."""

from collections.abc import Sequence
from typing import Any

from stages.commands.places import REPORTS
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse, read_yaml


def remove_stale_results(targets: Sequence[str] = ()) -> None:
    """Remove them before a run, whose runner records nothing of a stage that edits what it reads.

    `compare` is that stage, and does the same, for `dvc repro`. A run of targets that do without it
    removes nothing, and so do settings that `validate` refuses.
    """
    tree = read_yaml()
    prune = tree.get("prune")
    methods = {**_names(prune, "methods"), **_names(prune, "iterative")}
    schedules = _names(tree.get("retrain"), "schedules")
    arms = {(path.parent.name, path.stem) for path in REPORTS.glob("arms/*/*.json")}
    stale = [arm for arm in arms if arm[0] not in methods or arm[1] not in schedules]
    if stale and _valid(tree) and _compared(targets):
        from stages.results.files import remove_stale

        remove_stale(REPORTS, methods, schedules)


def _names(group: Any, key: str) -> dict[str, Any]:
    found = group.get(key) if isinstance(group, dict) else None
    return found if isinstance(found, dict) else {}


def _compared(targets: Sequence[str]) -> bool:
    """Whether a run of targets, of all stages without any, runs `compare`."""
    if not targets:
        return True
    from stages.runner.dvc.pipeline import Pipeline  # DVC, where something is stale

    pipeline = Pipeline(targets)
    pipeline.close()
    return "compare" in pipeline.needs


def _valid(tree: dict[str, Any]) -> bool:
    from stages.study.checks import check  # a third of a second, where something is stale
    from stages.study.settings import Study

    try:
        check(parse(Study, tree))
    except Fault:
        return False
    return True
