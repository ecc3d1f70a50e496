"""How the settings of one study differ from another's."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from stages.reporting.keys import written

ABSENT = "–"


class Difference(NamedTuple):
    """A dotted key, its value in the default study and its value here; a dash stands for none."""

    key: str
    default: str
    value: str


def differences(params: Mapping[str, Any], default: Mapping[str, Any]) -> list[Difference]:
    """Return what differs, in the order of `params`; what only `default` has ends its group.

    Keys of either mapping may be dotted. A group that one of them lacks is one difference.
    """
    return list(_differences(params, default))


def _differences(
    params: Mapping[str, Any], default: Mapping[str, Any], path: str = ""
) -> Iterator[Difference]:
    for name in {**params, **default}:
        key = f"{path}{name}"
        if name not in params:
            yield Difference(key, readable(default[name]), ABSENT)
        elif name not in default:
            yield Difference(key, ABSENT, readable(params[name]))
        elif isinstance(params[name], Mapping) and isinstance(default[name], Mapping):
            yield from _differences(params[name], default[name], f"{key}.")
        elif params[name] != default[name]:
            yield Difference(key, readable(default[name]), readable(params[name]))


def readable(value: Any) -> str:
    """Return a value on one line as YAML has it, a mapping without its outer braces."""
    text = written(value)
    return text[1:-1] if isinstance(value, Mapping) and value else text
