"""params.yaml -> typed, frozen objects; a fault is one line: key, value, what is allowed."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from stages.pipeline.fault import Fault

PARAMS = Path("params.yaml")
Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
T = TypeVar("T")


def read_yaml(path: Path | str = PARAMS) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; a Fault when it is missing or anything else."""
    try:
        tree = yaml.load(Path(path).read_bytes(), Loader)
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run from the project's folder") from None
    except yaml.YAMLError as error:
        raise Fault(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(tree, dict):
        raise Fault(f"{path}: it holds {tree!r}; it should be a mapping of keys to values")
    return tree


def lookup(tree: Any, key: str, file: Path | str = PARAMS) -> Any:
    """Return the value at a dotted key; the empty key is the whole tree."""
    value = tree
    for part in key.split(".") if key else ():
        if not isinstance(value, dict) or part not in value:
            known = f"; {nearest(part, value)}" if value and isinstance(value, dict) else ""
            raise Fault(f"{file}: {key} is missing{known}")
        value = value[part]
    return value


def parse(kind: type[T] | Any, value: Any, key: str = "", file: Path | str = PARAMS) -> T:
    """Check `value`, found at `key`, against a type; a Fault with one line per fault."""
    try:
        parsed: T = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        faults: dict[str, list[str]] = {}
        for fault in error.errors():
            for subject, rule in _messages(fault, key, value):
                faults.setdefault(subject, []).append(rule)
        lines = [f"{file}: {subject}; {', or '.join(rules)}" for subject, rules in faults.items()]
        raise Fault("\n".join(lines)) from None
    return parsed


def nearest(name: Any, known: Iterable[Any]) -> str:
    """Say which names are valid and which one was probably meant."""
    names = sorted(map(str, known))
    close = difflib.get_close_matches(name, names, n=1) if isinstance(name, str) else []
    guess = f"did you mean {close[0]!r}? " if close else ""
    return f"{guess}valid: {', '.join(names)}"


def _messages(fault: ErrorDetails, key: str, root: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, and what is allowed instead."""
    path = list(_path(fault["loc"], root, missing=fault["type"] == "missing"))
    where = ".".join([key, *path] if key else path)
    context = fault.get("ctx", {})
    match fault["type"]:
        case "unknown_keys":
            for name in context["unknown"]:
                yield (
                    f"{where}.{name}".strip(".") + " is no known key",
                    nearest(name, context["known"]),
                )
        case "missing":
            yield f"{where} is missing", "it has no default"
        case "union_tag_not_found":
            yield f"{where}.{context['discriminator'][1:-1]} is missing", "it has no default"
        case "union_tag_invalid":
            tag = context["discriminator"][1:-1]
            value = fault["input"][tag]
            names = nearest(value, _names(context["expected_tags"]))
            yield f"{where}.{tag} is {value!r}", names
        case "literal_error":
            names = nearest(fault["input"], _names(context["expected"].replace(" or ", ", ")))
            yield f"{where} is {fault['input']!r}", names
        case "dict_type" | "model_type" | "model_attributes_type":
            yield f"{where} is {fault['input']!r}", "it should be a mapping of keys to values"
        case _:
            rule = re.sub("^(Input|String|[A-Z][a-z]+) should", "it should", fault["msg"])
            yield f"{where} is {fault['input']!r}", rule.removeprefix("Value error, ")


def _names(listed: str) -> list[str]:
    return [name.strip().strip("'") for name in listed.split(",")]


def _path(loc: tuple[int | str, ...], value: Any, missing: bool) -> Iterator[str]:
    """Yield the keys of a pydantic location, without the union tags that are no keys."""
    for i, part in enumerate(loc):
        found = isinstance(value, Mapping) and part in value
        if found or (isinstance(value, list | tuple) and isinstance(part, int)):
            value = value[part]
        elif not (missing and i == len(loc) - 1):
            continue
        yield str(part)
