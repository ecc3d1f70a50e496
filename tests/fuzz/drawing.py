"""How many examples are drawn, and how trees and bytes are changed at random.

FUZZ_EXAMPLES=10000 draws as many, new ones each time; by default few are drawn, always the same.
"""

import copy
import os
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from stages.pipeline.fault import Fault

ASKED = os.environ.get("FUZZ_EXAMPLES")
drawn = settings(
    max_examples=int(ASKED or 15),
    derandomize=ASKED is None,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
EDITS = "nudge", "nudge", "nudge", "replace", "retype", "delete", "rename", "nest", "copy", "add"
Draw = Callable[[st.SearchStrategy[Any]], Any]

scalars = st.one_of(
    st.sampled_from(
        [None, True, False, 0, 1, -1, 2, 3, 7, 64, 1000, 0.0, 0.1, 0.5, 1.0, -0.5, 1e-300]
    ),
    st.sampled_from(
        [1e300, float("inf"), float("nan"), "", "l1", "max", "last", "dense", "cosine"]
    ),
    st.sampled_from(
        ["dense_macs", "final", "rewound", "fresh", "cycled", "auto", "cuda:0", "\n", "é"]
    ),
    st.integers(-1000, 1000),
    st.floats(),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def alike(value: Any) -> st.SearchStrategy[Any]:
    """A strategy for values of the same type, many of them as good as the given one."""
    match value:
        case bool():
            return st.booleans()
        case int():
            return st.integers(0, 30)
        case float():
            return st.floats(0, 1)
        case list():
            return st.lists(st.integers(0, 30), max_size=3).map(sorted)
        case _:
            return scalars


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside a tree."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def at(tree: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


@st.composite
def changed(draw: Draw, trees: st.SearchStrategy[Any], most: int = 3) -> Any:
    """A tree with values that are replaced, retyped, deleted, renamed, nested, copied or added."""
    tree = copy.deepcopy(draw(trees))
    for _ in range(draw(st.integers(0, most))):
        known = list(places(tree))
        if not known:
            break
        *above, key = draw(st.sampled_from(known))
        parent = at(tree, above)
        match draw(st.sampled_from(EDITS)):
            case "nudge":
                parent[key] = draw(alike(parent[key]))
            case "replace":
                parent[key] = draw(values)
            case "retype":
                parent[key] = draw(st.sampled_from([str, repr, bool, type]))(parent[key])
                if isinstance(parent[key], type):
                    parent[key] = [parent[key].__name__]
            case "delete":
                del parent[key]
            case "rename" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8))] = parent.pop(key)
            case "nest":
                parent[key] = draw(st.sampled_from([[parent[key]], {"a": parent[key]}]))
            case "copy":
                parent[key] = copy.deepcopy(at(tree, draw(st.sampled_from(known))))
            case "add" if isinstance(parent, dict):
                parent[draw(st.text(max_size=8))] = draw(values)
    return tree


@st.composite
def damaged(draw: Draw, contents: st.SearchStrategy[bytes]) -> bytes:
    """Bytes of a file: cut off, with bits flipped, with bytes put in or cut out, or any bytes."""
    content = bytearray(draw(contents))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["cut", "flip", "set", "insert", "remove", "append", "any"])):
            case "cut":
                del content[place:]
            case "flip" if content:
                content[place] ^= 1 << draw(st.integers(0, 7))
            case "set" if content:
                content[place] = draw(st.sampled_from([0, 1, 127, 128, 255]))
            case "insert":
                content[place:place] = draw(st.binary(max_size=8))
            case "remove":
                del content[place : place + draw(st.integers(1, 64))]
            case "append":
                content += draw(st.binary(min_size=1, max_size=8))
            case "any":
                content = bytearray(draw(st.binary(max_size=200)))
    return bytes(content)


def value_or_fault(read: Callable[..., Any], *arguments: Any, begin: str = "") -> Any:
    """Return what is read, or None after a Fault, each line of which begins with what it is of."""
    try:
        return read(*arguments)
    except Fault as fault:
        lines = str(fault).split("\n")
    assert all(line and line.isprintable() and line.startswith(begin) for line in lines), lines
    return None
