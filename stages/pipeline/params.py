"""params.yaml -> typed, frozen objects; a fault is one line: key, value, what is allowed."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from stages.pipeline.bounds import check_bounds
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_text
from stages.pipeline.section import STRICT

PARAMS = Path("params.yaml")
WORD = 64
"""Bits of a whole number: no setting has more, and thousands of digits cannot be printed."""
LONGEST = 100
"""Characters of a value or a key that a line shows."""
LIMITS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "greater than or equal to"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "less than or equal to"),
}
"""Pydantic's kinds of faults of numbers: where it has the limit, and the words before it."""
T = TypeVar("T")


def read_yaml(path: Path | str = PARAMS) -> dict[str, Any]:
    """Read a YAML file that holds a mapping; a Fault when it is missing or anything else."""
    try:
        return parse_yaml(read_text(path), path)
    except FileNotFoundError:
        raise Fault(f"{path}: no such file; run from the project's folder") from None
    except OSError as error:
        raise Fault(f"{path}: {error.strerror}; it should be a YAML file") from None
    except UnicodeDecodeError as error:
        raise Fault(f"{path}: not valid YAML: {error}") from None


def parse_yaml(text: str, path: Path | str) -> dict[str, Any]:
    """Return what the text of the file `path` holds, as DVC reads it: YAML 1.2, by ruamel.

    YAML 1.1, which PyYAML reads, has other values: 8 for 010, true for yes, 750 for 12:30. A Fault
    names the line, and is raised for all but mappings of text, numbers, booleans, null and lists.
    """
    try:
        check_bounds(YAML(typ="safe").parse(text), path)
        tree = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        reason = f"{line}{error.problem or error.context}"
        raise Fault(f"{path}: not valid YAML: {' '.join(reason.split())}") from None
    except (YAMLError, ValueError, KeyError, RecursionError) as error:  # ValueError: of a number
        reason = " ".join(str(error).split()).partition("; ")[0]
        raise Fault(f"{path}: not valid YAML: {reason}") from None
    if not isinstance(tree, dict):
        raise Fault(f"{path}: it holds {shown(tree)}; it should be a mapping of keys to values")
    _check_plain(tree, path)
    return tree


def _check_plain(tree: dict[str, Any], path: Path | str) -> None:
    """Raise a Fault for a value that JSON has not, or that an alias makes endless."""
    waiting: list[tuple[str, Any, tuple[int, ...]]] = [("", tree, ())]
    while waiting:
        key, value, above = waiting.pop()
        if id(value) in above:
            raise Fault(f"{path}: {printable(key)} holds itself, by an alias; write it out")
        if isinstance(value, int) and value.bit_length() > WORD:
            raise Fault(f"{path}: {printable(key)} is a whole number of more than {WORD} bits")
        if isinstance(value, dict | list):
            inner = value.items() if isinstance(value, dict) else enumerate(value)
            within = (*above, id(value))
            waiting += [(f"{key}.{name}".lstrip("."), item, within) for name, item in inner]
        elif not isinstance(value, str | int | float | None):
            kind = type(value).__name__
            raise Fault(
                f"{path}: {printable(key)} is {printable(value)}, a {kind}; "
                "put it in quotes if it is text"
            )


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
        parsed: T = _adapter(kind).validate_python(value)
    except ValidationError as error:
        faults: dict[str, list[str]] = {}
        for fault in _without_mistyped(error.errors()):
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


def shown(value: Any) -> str:
    """Return a value as a line shows it: on one line, and cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def printable(key: Any) -> str:
    """Return a key as a line shows it: as it is, unless it is long or would break the line."""
    text = str(key)
    return text if text.isprintable() and len(text) <= LONGEST else shown(text)


def _adapter(kind: Any) -> TypeAdapter[Any]:
    own = isinstance(kind, type) and issubclass(kind, BaseModel)  # a model has a config of its own
    return TypeAdapter(kind) if own else TypeAdapter(kind, config=STRICT)


def _without_mistyped(faults: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leave out what is missing because its name is mistyped: one mistake is one line."""
    meant = {
        (*fault["loc"][:-1], *difflib.get_close_matches(f"{fault['loc'][-1]}", known, n=1))
        for fault in faults
        if fault["type"] == "extra_forbidden" and (known := fault["input"].known)
    }
    return [f for f in faults if not (f["type"] == "missing" and f["loc"] in meant)]


def _messages(fault: ErrorDetails, key: str, root: Any) -> Iterator[tuple[str, str]]:
    """Yield what is wrong, and what is allowed instead."""
    path = list(_path(fault["loc"], root, fault["type"] in ("missing", "extra_forbidden")))
    where = printable(".".join([key, *path] if key else path))
    context: Any = fault.get("ctx", {})
    given: Any = fault["input"]
    given = list(given) if isinstance(given, tuple) else given  # as YAML has it
    match fault["type"]:
        case "extra_forbidden":
            yield f"{where} is no known key", nearest(fault["loc"][-1], given.known)
        case "missing":
            yield f"{where} is missing", "it has no default"
        case "union_tag_not_found":
            tag = f"{where}.{context['discriminator'][1:-1]}".lstrip(".")
            yield f"{tag} is missing", "it has no default"
        case "union_tag_invalid":
            tag = context["discriminator"][1:-1]
            value = given[tag]
            names = nearest(value, _names(context["expected_tags"]))
            yield f"{f'{where}.{tag}'.lstrip('.')} is {shown(value)}", names
        case "literal_error":
            names = nearest(given, _names(context["expected"].replace(" or ", ", ")))
            yield f"{where} is {shown(given)}", names
        case "tuple_type":
            yield f"{where} is {shown(given)}", "it should be a list"
        case "dict_type" | "model_type" | "model_attributes_type":
            yield f"{where} is {shown(given)}", "it should be a mapping of keys to values"
        case kind if kind in LIMITS:
            name, words = LIMITS[kind]
            limit = context[name]
            text = f"{limit:g}" if isinstance(limit, float) else f"{limit}"
            yield f"{where} is {shown(given)}", f"it should be {words} {text}"
        case _:
            rule = re.sub("^(Input|String|[A-Z][a-z]+) should", "it should", fault["msg"])
            yield f"{where} is {shown(given)}", rule.removeprefix("Value error, ")


def _names(listed: str) -> list[str]:
    return [name.strip().strip("'") for name in listed.split(",")]


def _path(loc: tuple[int | str, ...], value: Any, last: bool) -> Iterator[str]:
    """Yield the keys of a pydantic location, without the union tags that are no keys.

    `last`: the last one is a key, though `value` may not hold it.
    """
    for i, part in enumerate(loc):
        found = isinstance(value, Mapping) and part in value
        if isinstance(value, list | tuple) and isinstance(part, int):
            found = part < len(value)
        if found:
            value = value[part]
        elif not (last and i == len(loc) - 1):
            continue
        yield str(part)
