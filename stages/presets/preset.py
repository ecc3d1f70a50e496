"""Presets: studies that ship with the project, each by what it changes of the default study.

`default.yaml` is params.yaml as shipped. Every other file here is a preset.
"""

import textwrap
from pathlib import Path
from typing import Any

from stages.pipeline.params import parse, parse_yaml, read_yaml
from stages.pipeline.section import Section
from stages.presets.overlay import overlaid

FOLDER = Path(__file__).parent
DEFAULT = FOLDER / "default.yaml"


class Preset(Section):
    """A preset's file: what the study is, what it asks, what else to know, what it changes.

    `settings` are laid over the default: groups are merged key by key, but for those of
    `overlay.REPLACED`, which replace the default's.
    """

    title: str
    question: str
    note: str = ""
    settings: dict[str, Any]


def preset_files() -> dict[str, Path]:
    """Return the file of every preset by name."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml")) if path != DEFAULT}


def read_preset(path: Path) -> Preset:
    """Read a preset; a Fault names what is wrong with the file."""
    return parse(Preset, read_yaml(path), file=path)


def params_text(path: Path) -> str:
    """Return the text of the params.yaml that a preset's file stands for."""
    preset = read_preset(path)
    text = overlaid(
        DEFAULT.read_text(encoding="utf-8"), path.read_text(encoding="utf-8"), "settings"
    )
    _, _, body = text.partition("\n#\n")
    head = [[preset.title, preset.question], [preset.note] if preset.note else []]
    paragraphs = ["\n".join(map(_comment, lines)) for lines in head if lines]
    return "\n#\n".join([*paragraphs, body])


def read_params(path: Path) -> dict[str, Any]:
    """Return the settings of a params.yaml, or those that a preset's file stands for."""
    tree = read_yaml(path)
    return tree if "settings" not in tree else parse_yaml(params_text(path), path)


def _comment(line: str) -> str:
    return textwrap.fill(line, 100, initial_indent="# ", subsequent_indent="# ")
