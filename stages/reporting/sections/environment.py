"""Where the networks were trained, and a warning when that was not everywhere the same."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stages.reporting.report import Report, Section
from stages.reporting.words import code, listed

Groups = dict[str, list[str]]
"""The networks that were trained in an environment, by its description."""


def find(report: Report) -> Groups:
    """Group the networks by environment, the most common first."""
    groups: Groups = {}
    for name, environment in _networks(report):
        groups.setdefault(_describe(environment), []).append(name)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))


def text(groups: Groups) -> str:
    """Describe the environment of all networks; name those that come from another one."""
    common, *others = groups
    if not others:
        return f"All networks: {common}."
    return "\n".join(
        [
            "> [!WARNING]",
            "> Networks were trained in different environments. Differences between their "
            "accuracies may come from there.",
            ">",
            *(f"> - {listed(groups[other])}: {other}" for other in others),
            f"> - all others: {common}",
        ]
    )


def _networks(report: Report) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield "the dense network", report.results.dense.environment
    for (method, schedule), arm in report.results.arms.items():
        yield code(f"{method}-{schedule}"), arm.environment


def _describe(environment: Mapping[str, Any]) -> str:
    known = {key: value for key, value in environment.items() if value is not None}
    return ", ".join(f"{key} {_value(known[key])}" for key in sorted(known))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


SECTION = Section("environment", "Environment", find, text)
