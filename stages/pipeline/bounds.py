"""How much a YAML text holds once its aliases are written out, before anything is built from it.

A few lines of aliases or merge keys stand for billions of values. And the library calls itself for
each value that is inside another: the process dies without a word where these are many.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    ScalarEvent,
)

from stages.pipeline.fault import Fault

MOST, DEEPEST = 100_000, 100
"""Values of a YAML text, and how many of them in one another."""


@dataclass
class _Open:
    """A list or mapping whose end is still to come: its values, and how deep they go."""

    anchor: str | None
    values: int = 1
    depth: int = 0

    def add(self, values: int, depth: int) -> None:
        self.values += values
        self.depth = max(self.depth, depth + 1)


def check_bounds(events: Iterable[Any], path: Path | str) -> None:
    """Raise a Fault for a file, by the events of its parser, that holds more than it may.

    An alias counts for all that it stands for. One inside what it stands for counts for nothing.
    """
    known: dict[str, tuple[int, int]] = {}
    around = [_Open(None)]
    for event in events:
        match event:
            case CollectionStartEvent():
                around.append(_Open(event.anchor))
            case CollectionEndEvent():
                done = around.pop()
                if done.anchor:
                    known[done.anchor] = done.values, done.depth
                around[-1].add(done.values, done.depth)
            case AliasEvent():
                around[-1].add(*known.get(event.anchor, (1, 0)))
            case ScalarEvent():
                around[-1].add(1, 0)
        if around[-1].values > MOST or len(around) + around[-1].depth > DEEPEST:
            raise Fault(f"{path}: it holds more than {MOST} values, or {DEEPEST} in one another")
