"""What dvc.yaml declares for a stage, with its templates filled in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS, lookup, nearest, read_yaml, shown
from stages.pipeline.section import NAME

TEMPLATE = re.compile(r"\$\{([\w.]+)\}")


@dataclass(frozen=True)
class Declaration:
    """A stage's name, dependencies, keys of params.yaml ("" is the whole file) and outputs."""

    name: str
    deps: tuple[str, ...]
    params: tuple[str, ...]
    outs: tuple[str, ...]


def declared(module: str, items: Mapping[str, str]) -> Declaration:
    """Read the stage of dvc.yaml that runs `stages/<module>.py` for some values of its matrix.

    Two stages may run one module: the one whose matrix holds the items is meant.
    """
    values = {"item": dict(items), **read_yaml(PARAMS)}
    candidates = _running(module)
    for name, entry in candidates.items():
        if all(items.get(axis) in known for axis, known in _axes(entry, values).items()):
            _check_names(items)
            return _filled(name, entry, values)
    known: dict[str, dict[str, Any]] = {}
    for entry in candidates.values():
        for axis, names in _axes(entry, values).items():
            known.setdefault(axis, {}).update(names)
    axis = next((axis for axis, names in known.items() if items.get(axis) not in names), "")
    if not axis:
        raise Fault(f"dvc.yaml: no stage of {module!r} has {dict(items)} in its matrix")
    raise Fault(f"--{axis} is {shown(items.get(axis))}; {nearest(items.get(axis), known[axis])}")


def _check_names(items: Mapping[str, str]) -> None:
    """Raise a Fault for a name that `validate`, which DVC may pass by, would refuse."""
    for axis, name in items.items():
        if not re.fullmatch(NAME, name):
            raise Fault(f"--{axis} is {shown(name)}; a name should match {NAME}")


def modules() -> set[str]:
    """Return the modules that the stages of dvc.yaml run."""
    return {_module(entry) for entry in read_yaml("dvc.yaml")["stages"].values()}


def names() -> list[str]:
    """Return the names that stages have while they run: NAME, or NAME-ITEM-ITEM of a matrix."""
    stages, values = lookup(read_yaml("dvc.yaml"), "stages", "dvc.yaml"), read_yaml(PARAMS)
    return [
        "-".join([name, *items])
        for name, entry in stages.items()
        for items in product(*_axes(entry, values).values())
    ]


def _running(module: str) -> dict[str, Any]:
    stages = lookup(read_yaml("dvc.yaml"), "stages", "dvc.yaml")
    found = {name: entry for name, entry in stages.items() if _module(entry) == module}
    if not found:
        raise Fault(f"dvc.yaml: no stage runs {module!r}; {nearest(module, modules())}")
    return found


def _module(entry: Mapping[str, Any]) -> str:
    found = re.match(r"python -m stages\.(\w+)", entry["cmd"])
    return found[1] if found else ""


def _axes(entry: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {axis: lookup(values, source[2:-1]) for axis, source in entry.get("matrix", {}).items()}


def _filled(name: str, entry: Mapping[str, Any], values: Mapping[str, Any]) -> Declaration:
    def filled(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(TEMPLATE.sub(lambda m: str(lookup(values, m[1])), text) for text in texts)

    outs = [out for kind in ("outs", "metrics", "plots") for out in entry.get(kind, ())]
    return Declaration(
        name,
        filled(entry.get("deps", ())),
        filled(_keys(entry.get("params", ()))),
        filled(next(iter(out)) if isinstance(out, Mapping) else out for out in outs),
    )


def _keys(entries: Iterable[Any]) -> list[str]:
    """Return the keys of params.yaml: DVC's lists hold keys, or files with keys of their own."""
    keys = []
    for entry in entries:
        if not isinstance(entry, Mapping):
            keys.append(entry)
        elif str(PARAMS) in entry:
            keys += entry[str(PARAMS)] or [""]
    return keys
