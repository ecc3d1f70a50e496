"""What dvc.yaml declares for a stage, with its templates filled in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stages.fault import Fault
from stages.params.load import PARAMS, lookup, nearest, read_yaml

TEMPLATE = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True)
class Declaration:
    """A stage's dependencies, keys of params.yaml (the empty key is the whole file) and outputs."""

    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


def declared(stage: str, items: Mapping[str, str]) -> Declaration:
    """Read a stage of dvc.yaml; `items` are the values of its matrix axes."""
    stages = read_yaml("dvc.yaml")["stages"]
    if stage not in stages:
        raise Fault(f"dvc.yaml: no stage {stage!r}; {nearest(stage, stages)}")
    entry = stages[stage]
    values = {"item": dict(items), **read_yaml(PARAMS)}
    for axis, source in entry.get("matrix", {}).items():
        _check_item(axis, items.get(axis), lookup(values, source[2:-1]))

    def filled(paths: Iterable[str]) -> tuple[str, ...]:
        return tuple(TEMPLATE.sub(lambda m: str(lookup(values, m[1])), path) for path in paths)

    outs = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, ())]
    return Declaration(
        filled(entry.get("deps", ())), filled(_keys(entry.get("params", ()))), filled(_names(outs))
    )


def _check_item(axis: str, value: str | None, known: Mapping[str, Any]) -> None:
    if value not in known:
        raise Fault(f"--{axis} is {value!r}; {nearest(value, known)}")


def _names(entries: Iterable[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, Mapping) else entry for entry in entries]


def _keys(entries: Iterable[Any]) -> list[str]:
    return ["" if isinstance(entry, Mapping) else entry for entry in entries]
