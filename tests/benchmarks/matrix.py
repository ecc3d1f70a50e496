"""A pipeline of many trivial stages: the cells of a matrix of three axes behind one stage."""

from collections.abc import Mapping, Sequence
from itertools import product

import yaml

AXES = {50: (2, 5, 5), 300: (3, 10, 10), 600: (6, 10, 10)}
"""The lengths of the axes, by the number of cells."""
SOURCE = "echo source > source.txt"
CELL = "cat source.txt > cells/{0}.txt; echo {0} >> cells/{0}.txt"


def files(lengths: Sequence[int], *, own_keys: bool = False) -> dict[str, str]:
    """Return the files of the pipeline.

    Each cell depends on source.txt and on one key of params.yaml: the same for all, or its own,
    which makes params.yaml as long as there are cells.
    """
    keys = dict.fromkeys(cells(lengths), 1) if own_keys else {"all": 1}
    stages = {"source": {"cmd": SOURCE, "outs": ["source.txt"]}, "cell": _cell(lengths, own_keys)}
    return {
        "params.yaml": _text({"axes": _axes(lengths), "keys": keys}),
        "dvc.yaml": _text({"stages": stages}),
        "cells/.gitignore": "",
    }


def cells(lengths: Sequence[int]) -> list[str]:
    """Return the names of the cells, as DVC makes them."""
    return ["-".join(cell) for cell in product(*_axes(lengths).values())]


def script(lengths: Sequence[int]) -> str:
    """Return a shell script that runs every command of the pipeline, each in a shell of its own."""
    commands = [SOURCE, *map(CELL.format, cells(lengths))]
    return "".join(f"sh -c '{command}'\n" for command in commands)


def _cell(lengths: Sequence[int], own_keys: bool) -> dict[str, object]:
    return {
        "matrix": {axis: f"${{axes.{axis}}}" for axis in _axes(lengths)},
        "cmd": CELL.format("${key}"),
        "deps": ["source.txt"],
        "params": ["keys.${key}" if own_keys else "keys.all"],
        "outs": ["cells/${key}.txt"],
    }


def _axes(lengths: Sequence[int]) -> dict[str, list[str]]:
    return {
        axis: [f"{axis}{number}" for number in range(length)]
        for axis, length in zip("abc", lengths, strict=True)
    }


def _text(tree: Mapping[str, object]) -> str:
    return yaml.safe_dump(tree, sort_keys=False, width=1000)
