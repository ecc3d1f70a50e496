"""The order of stages, and of their entries in lock files."""

from typing import Any

from dvc.dvcfile import ProjectFile
from dvc.utils.serialize import load_yaml, modify_yaml


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


def lock_order(plan: list[Any]) -> dict[str, tuple[str, list[str]]]:
    """Return the lock file of each dvc.yaml, and its entries as DVC would order them."""
    order: dict[str, tuple[str, list[str]]] = {}
    for stage in plan:
        path, file = str(stage.path), stage.dvcfile
        if isinstance(file, ProjectFile):
            if path not in order:
                entries = file.lockfile_contents.get("stages", {})
                order[path] = (file._lockfile.path, list(entries))
            order[path][1].append(stage.name)
    return order


def arrange(path: str, names: list[str]) -> None:
    """Put the entries of a lock file in the order of `names`, strangers last."""
    present = list(load_yaml(path)["stages"])
    known = [name for name in dict.fromkeys(names) if name in present]
    wanted = known + [name for name in present if name not in known]
    if wanted != present:
        with modify_yaml(path) as data:
            for name in wanted:
                data["stages"].move_to_end(name)
