"""The page: what it shows as JSON, beside the style and the script that show it."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.reporting.studies.explorer.arms import arms, study_of
from stages.reporting.studies.kept import Kept

FOLDER = Path(__file__).parent


def page(studies: Sequence[Kept], present: str) -> str:
    """The whole page as HTML; `present` is the name of the study in reports/.

    It asks nothing of the network: style, script and data are in it.
    """
    templates = Environment(  # noqa: S701, `as_json` leaves nothing that HTML would read
        loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, keep_trailing_newline=True
    )
    return templates.get_template("explorer.html.j2").render(
        style=_text("explorer.css"),
        script=_text("explorer.js"),
        studies=as_json([study_of(study) for study in studies]),
        arms=as_json([arm for study in studies for arm in arms(study, study.name == present)]),
    )


def as_json(rows: Sequence[Any]) -> str:
    """Return a list as JSON for a script element, an entry a line so that git compares them.

    No text in it can end the element: `<` is written as an escape.
    """
    lines = (json.dumps(row, allow_nan=False, ensure_ascii=False) for row in rows)
    return "\n".join(["[", ",\n".join(lines), "]"]).replace("<", "\\u003c")


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
