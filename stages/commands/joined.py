"""The page of all studies, reports/studies/README.md, from the files that were kept of them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.commands.places import REPORTS
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_text
from stages.pipeline.made import LOCK
from stages.pipeline.params import PARAMS, lookup, read_yaml

STUDIES = REPORTS / "studies"
PAGE = STUDIES / "README.md"
PRESENT = "reports/ (the present study)"
"""What the study in reports/ is called: no folder of a kept one has a slash in its name."""
AGAIN = "afterprune studies --rerun"


def join() -> None:
    """Write the page of all studies; print what is on it, and on stderr what is not and why."""
    from stages.reporting.studies.kept import read_kept  # pandas: a second that others do not need
    from stages.reporting.studies.page import page

    found, left_out = [], []
    for name, tables, params, link in sources():
        try:
            found.append(read_kept(tables, params, name, link))
        except Fault as fault:
            again = "dvc repro" if tables.parent == REPORTS else f"{AGAIN} {name}"
            left_out.append(f"{str(fault).splitlines()[0]}; `{again}` makes it again")
    write_text(PAGE, page(found, left_out))
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    print(f"{PAGE} joins {', '.join(study.name for study in found) or 'no study'}")


def sources() -> Iterator[tuple[str, Path, Path, str]]:
    """Yield each study's name, tables, settings and page as seen from the page of all.

    First the one in reports/, unless it is one of those that are kept.
    """
    folders = kept()
    settings = read_yaml()
    if finished(settings) and settings not in map(_settings, folders):
        yield PRESENT, REPORTS / "tables", PARAMS, "../README.md"
    for folder in folders:
        yield folder.name, folder / "tables", folder / PARAMS, f"{folder.name}/README.md"


def kept() -> list[Path]:
    """Return the folders of the kept studies."""
    return sorted(path.parent for path in STUDIES.glob(f"*/{PARAMS}"))


def finished(settings: dict[str, Any]) -> bool:
    """Whether dvc.lock says that the report is that of these settings.

    Not whether all else is as it was: a clean clone has no networks, but it has the report.
    """
    recorded = (read_yaml(LOCK).get("stages") or {}) if LOCK.is_file() else {}
    keys = recorded.get("compare", {}).get("params", {}).get(str(PARAMS), {})
    try:
        return bool(keys) and all(lookup(settings, key) == value for key, value in keys.items())
    except Fault:
        return False


def _settings(folder: Path) -> dict[str, Any]:
    try:
        return read_yaml(folder / PARAMS)
    except Fault:  # its reading tells of it
        return {}
