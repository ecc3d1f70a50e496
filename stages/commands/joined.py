"""What joins all studies: a page, a figure, a table, an explorer, from the files kept of them."""

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

from stages.commands.places import REPORTS
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_text, write_text
from stages.pipeline.made import LOCK
from stages.pipeline.params import PARAMS, lookup, read_yaml
from stages.pipeline.section import NAME

if TYPE_CHECKING:
    import pandas as pd

    from stages.reporting.studies.kept import Kept

STUDIES = REPORTS / "studies"
PAGE = STUDIES / "README.md"
RESULTS = REPORTS / "results.csv"
EXPLORER = REPORTS / "explorer.html"
README = Path("README.md")
MARKS = "<!-- answers -->", "<!-- end of answers -->"
"""Lines of a README between which stands what all studies say together."""
LINE = 118
"""Characters of a line there."""
PRESENT = "reports/ (the present study)"
"""What the study in reports/ is called: no folder of a kept one has a slash in its name."""
AGAIN = "afterprune studies --rerun"


def join() -> list[str]:
    """Write what joins all studies; print what is in it, and on stderr what is not and why.

    Return the names of those in it.
    """
    found, left_out = read_all()
    for path, text in joint(found, left_out).items():
        write_text(path, text)
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    names = [study.name for study in found]
    print(f"{PAGE} joins {', '.join(names) or 'no study'}")
    return names


def read_all() -> "tuple[list[Kept], list[str]]":
    """Return all studies that can be read, and why the others cannot."""
    from stages.reporting.studies.checking import read_checked  # pandas, which others do not need

    found, left_out = [], []
    for name, tables, params, link in sources():
        try:
            made_by = here() if name == PRESENT else None
            found.append(read_checked(tables, params, name, link, made_by))
        except Fault as fault:
            again = "dvc repro" if tables.parent == REPORTS else f"{AGAIN} {name}"
            left_out.append(f"{str(fault).splitlines()[0]}; `{again}` makes it again")
    return found, left_out


def joint(found: "Sequence[Kept]", left_out: Sequence[str]) -> dict[Path, str]:
    """Return the files that join studies and their text; `left_out` as `read_all` has it."""
    from stages.reporting.studies.answers import Answers
    from stages.reporting.studies.explorer.page import page as explorer
    from stages.reporting.studies.leads_figure import leads_figure
    from stages.reporting.studies.page import FIGURE, page
    from stages.reporting.studies.rows import rows
    from stages.reporting.style import svg
    from stages.reporting.tables import as_csv

    answers = Answers(found)
    return {
        **(
            {STUDIES / FIGURE: svg(leads_figure(answers.leads)), **opening(answers.said)}
            if found
            else {}
        ),
        PAGE: page(answers, left_out),
        RESULTS: as_csv(rows(found)),
        EXPLORER: explorer(found, PRESENT),
    }


def opening(answers: str) -> dict[Path, str]:
    """Return the README with what the studies say together, if it has a place for that."""
    before, after = around_answers() or ([], [])
    said = [
        fill(line, LINE, subsequent_indent="  " * line.startswith("-"), break_on_hyphens=False)
        for line in answers.splitlines()
    ]
    return {README: "\n".join([*before, *said, *after])} if before else {}


def around_answers() -> tuple[list[str], list[str]] | None:
    """Return the lines of the README up to the first of its marks and from the second on.

    None without marks; a Fault where they are not there once each, in order, with nothing but text
    between.
    """
    lines = read_text(README).split("\n") if README.is_file() else []
    places = [at for at, line in enumerate(lines) if line.strip() in MARKS]
    if not places:
        return None
    first, last = places[0], places[-1]
    if [lines[at].strip() for at in places] != [*MARKS] or any(
        line.lstrip().startswith("<!--") for line in lines[first + 1 : last]
    ):
        raise Fault(
            f"{README}: should have the lines {MARKS[0]} and {MARKS[1]} once each, in this order "
            "and without another comment between, or neither"
        )
    return lines[: first + 1], lines[last:]


def here() -> "pd.DataFrame":
    """Return what made each arm of the study in reports/."""
    from stages.reporting.studies.origins import origins

    return origins(REPORTS, (read_yaml(LOCK).get("stages") or {}) if LOCK.is_file() else {})


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
    """Return the folders of the kept studies: what a killed `keep` leaves is none."""
    found = (path.parent for path in STUDIES.glob(f"*/{PARAMS}"))
    return sorted(folder for folder in found if re.fullmatch(NAME, folder.name))


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
