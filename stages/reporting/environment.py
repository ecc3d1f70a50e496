"""Where the networks were trained, and a warning when that was not everywhere the same."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from stages.reporting.markdown import code, listed
from stages.reporting.results import Study


def environment(study: Study) -> str:
    """Describe the environment of all networks; name those that come from another one."""
    groups: dict[str, list[str]] = {}
    for name, settings in _networks(study):
        groups.setdefault(_describe(settings), []).append(name)
    groups = {text: list(dict.fromkeys(names)) for text, names in groups.items()}
    common, *others = sorted(groups, key=lambda text: (-len(groups[text]), text))
    if not others:
        return f"All networks: {common}."
    lines = [f"> - {listed(groups[text])}: {text}" for text in others]
    warning = (
        "> [!WARNING]\n> Networks were trained in different environments. Differences between "
        "their accuracies may come from there."
    )
    return "\n".join([warning, ">", *lines, f"> - all others: {common}"])


def _networks(study: Study) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for baseline in study.baselines.values():
        yield "the dense network", baseline.environment
    for (method, schedule), arm in study.arms.items():
        yield code(f"{method}-{schedule}"), arm.environment


def _describe(environment: Mapping[str, Any]) -> str:
    known = {key: value for key, value in environment.items() if value is not None}
    return ", ".join(f"{key} {_value(known[key])}" for key in sorted(known))


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
