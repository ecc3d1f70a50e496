"""Lay settings over a YAML text; all else, comments and the spelling of numbers, stays as it is."""

import re
import textwrap
from collections.abc import Iterator
from functools import reduce
from operator import getitem
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node

from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS

REPLACED = frozenset(
    {
        "model.options",
        "train.schedule",
        "train.recipe.optimizer",
        "train.recipe.loss",
        "train.recipe.augment",
        "prune.methods",
        "prune.iterative",
        "latency",
        "corruptions",
        "retrain.schedules",
    }
)
"""Groups that are replaced whole, because an absent key says something there too: their keys are
names of the user's own, or options of what one of the keys names. All others merge key by key."""
COMMENTS = re.compile(r"(^ *#.*\n)*\Z", re.MULTILINE)


class Edit(NamedTuple):
    """Characters `start` up to `end` of a text, and what takes their place."""

    start: int
    end: int
    text: str


def overlaid(base: str, changes: str, key: str) -> str:
    """Return the YAML text `base` with the settings under `key` of the YAML text `changes`.

    What `changes` names is copied as it is written there, with the comments right above it, which
    come below those of `base`. New keys come last in their group. A group that `base` writes in
    braces counts as one value.
    """
    name, settings = _children(_mapping(changes))[key]
    edits = _edits(base, _mapping(base), changes, settings, name.end_mark.index)
    pieces, position = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += [base[position : edit.start], edit.text]
        position = edit.end
    return "".join([*pieces, base[position:]])


def with_value(text: str, key: str, value: float) -> str:
    """Return the text of params.yaml with a number at a dotted key; all else stays as it is.

    A Fault where the text has no value of its own there: one that others share, as an alias, or
    that comes by a merge; or where the number could not be read again, as infinity.
    """
    loader = YAML(typ="safe")
    *way, last = key.split(".")
    try:
        *_, (_, node) = _along(_mapping(text), key)
        changed = f"{text[: node.start_mark.index]}{value!r}{text[node.end_mark.index :]}"
        wanted = loader.load(text)
        reduce(getitem, way, wanted)[last] = value
        if loader.load(changed) == wanted:
            return changed
    except (KeyError, YAMLError):
        pass
    raise Fault(f"{PARAMS}: {key} cannot be set here; write it out as a number")


def _along(group: Node, key: str) -> Iterator[tuple[Node, Node]]:
    """Yield the key and the value of every part of a dotted key."""
    for part in key.split("."):
        found = _children(group)[part]
        yield found
        group = found[1]


def _mapping(text: str) -> MappingNode:
    root = YAML(typ="safe").compose(text)
    if not isinstance(root, MappingNode):
        raise ValueError("the text holds no mapping")
    return root


def _edits(
    base: str, group: Node, changes: str, changed: Node, above: int, path: str = ""
) -> Iterator[Edit]:
    """Yield the edits of a group, those inside its own groups before what is added at its end.

    `above` is where in `changes` what comes before the group's first key ends.
    """
    ours, column = _children(group), group.start_mark.column
    added = ""
    for name, (key, value) in _children(changed).items():
        before, above = above, _end(changes, value)
        entry = _copied(changes, before, key, above, column)
        if name not in ours:
            added += "\n" + " " * column + entry
            continue
        our_key, our_value = ours[name]
        start = our_key.start_mark.index
        if f"{path}{name}" in REPLACED or not (_is_block(our_value) and _children(value)):
            yield Edit(start, _end(base, our_value), entry)
        else:
            yield Edit(start, start, _copied(changes, before, key, key.start_mark.index, column))
            inside = key.end_mark.index
            yield from _edits(base, our_value, changes, value, inside, f"{path}{name}.")
    yield Edit(_end(base, group), _end(base, group), added)


def _children(group: Node) -> dict[str, tuple[Node, Node]]:
    """Return the keys and values of a mapping by the keys' names; of anything else, none."""
    pairs = group.value if isinstance(group, MappingNode) else ()
    return {key.value: (key, value) for key, value in pairs}


def _is_block(node: Node) -> bool:
    return isinstance(node, MappingNode) and not node.flow_style


def _copied(text: str, above: int, key: Node, end: int, column: int) -> str:
    """Return the text from the comments between `above` and a key up to `end`, for a `column`."""
    start, indent = key.start_mark.index, key.start_mark.column
    first = not text[start - indent : start].strip()
    line = text.find("\n", above) + 1  # what follows a value on its line is about that value
    comments = COMMENTS.search(text, line, start - indent) if first and line else None
    said = comments[0] if comments else ""
    block = textwrap.dedent(said + " " * indent + text[start:end])
    return textwrap.indent(block, " " * column).lstrip(" ")


def _end(text: str, node: Node) -> int:
    """Return where a node's own text ends; the end mark of a block lies at what follows it."""
    while isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return len(text[: node.end_mark.index].rstrip())
