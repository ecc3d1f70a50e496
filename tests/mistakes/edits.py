"""Edits of params.yaml, as a person makes them in its text."""

from pathlib import Path

from ruamel.yaml import YAML

GONE = "(gone)"
"""Stands for a key that is taken out."""


def edit(changes: dict[str, str], path: Path = Path("params.yaml")) -> None:
    """Set dotted keys of a YAML file to values that are written in YAML themselves."""
    yaml = YAML(typ="safe")
    tree = yaml.load(path.read_text())
    for key, text in changes.items():
        *way, last = key.split(".")
        node = tree
        for part in way:
            node = node[part]
        if text == GONE:
            del node[last]
        else:
            node[last] = yaml.load(text)
    with path.open("w") as file:
        yaml.dump(tree, file)
