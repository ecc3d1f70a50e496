"""The order of stages, and of their entries in lock files."""

import json
from pathlib import Path
from typing import Any

from dvc.dvcfile import ProjectFile
from dvc.utils.serialize import load_yaml, modify_yaml

Order = dict[str, tuple[str, list[str]]]
"""By the path of each dvc.yaml: its lock file, and the names of the entries there."""


def edges(graph: Any, plan: list[Any]) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return the stages that each stage needs, and those that it runs after.

    DVC cuts a frozen stage off from what it depends on; it keeps its turn among them.
    """
    place = {stage: number for number, stage in enumerate(plan)}
    needs: dict[str, set[str]] = {stage.addressing: set() for stage in plan}
    after: dict[str, set[str]] = {stage.addressing: set() for stage in plan}
    for stage in plan:
        for dep in filter(place.__contains__, graph.successors(stage)):
            if not stage.frozen:
                needs[stage.addressing].add(dep.addressing)
            first, then = sorted((stage, dep), key=place.__getitem__)
            after[then.addressing].add(first.addressing)
    return needs, after


def lock_order(plan: list[Any]) -> Order:
    """Return the lock file of each dvc.yaml, and its entries as DVC would order them."""
    order: Order = {}
    for stage in plan:
        path, file = str(stage.path), stage.dvcfile
        if isinstance(file, ProjectFile):
            if path not in order:
                entries = file.lockfile_contents.get("stages", {})
                order[path] = (file._lockfile.path, list(entries))
            order[path][1].append(stage.name)
    return order


def resumed(file: Path, order: Order) -> tuple[Order, set[str]]:
    """Return the order of entries after a run that was killed, and the files it did not arrange.

    That run wrote down in `file` what it meant to leave.
    """
    try:
        meant = json.loads(file.read_text())
    except (OSError, ValueError):
        return order, set()
    found = {path: (lock, [*meant.get(path, ()), *names]) for path, (lock, names) in order.items()}
    return found, set(meant)


def write_down(file: Path, order: Order) -> None:
    """Write down the order that a run means to leave, for a run after it if it is killed."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({path: names for path, (_, names) in order.items()}))


def arrange(path: str, names: list[str]) -> None:
    """Put the entries of a lock file in the order of `names`, strangers last."""
    present = list(load_yaml(path)["stages"])
    known = [name for name in dict.fromkeys(names) if name in present]
    wanted = known + [name for name in present if name not in known]
    if wanted != present:
        with modify_yaml(path) as data:
            for name in wanted:
                data["stages"].move_to_end(name)
