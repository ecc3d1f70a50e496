"""Whether the kept studies, and what joins them, are as the project itself would write them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stages.commands.joined import PRESENT, here, joint, kept, sources
from stages.commands.keep import linked
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse, read_yaml

if TYPE_CHECKING:
    from stages.reporting.studies.kept import Kept


def check() -> list[str]:
    """Return the names of the studies, when all is as it should be; else a Fault, a line each."""
    found: list[Kept] = []
    lines = [line for source in sources() for line in _faults(*source, found)]
    for folder in kept():
        lines += _links(folder)
    if not lines:  # what joins studies that are at fault is at fault for that reason alone
        lines += [line for path, text in joint(found, []).items() for line in _stale(path, text)]
    if lines:
        raise Fault("\n".join(lines))
    return [study.name for study in found]


def _faults(name: str, tables: Path, params: Path, link: str, found: "list[Kept]") -> Iterator[str]:
    """Yield what is wrong with a study; put one that can be read with the others."""
    from stages.reporting.studies.checking import read_checked
    from stages.study.settings import Study

    try:
        parse(Study, read_yaml(params), file=params)
        made_by = here() if name == PRESENT else None
        found.append(read_checked(tables, params, name, link, made_by))
    except Fault as fault:
        yield from str(fault).splitlines()


def _links(folder: Path) -> Iterator[str]:
    """Yield a line for a page that is missing, and for each file that it links to and lacks."""
    page = folder / "README.md"
    if not page.is_file():
        yield f"{page}: missing; `afterprune keep {folder.name}` writes it"
        return
    for part in linked(page.read_text(encoding="utf-8")):
        if not (folder / part).exists():
            yield f"{page}: links to {part}, which is missing"


def _stale(path: Path, text: str) -> Iterator[str]:
    """Yield a line where a file is not what the studies make of it, and where they part.

    Of a figure only whether it is there: other versions of matplotlib draw other bytes.
    """
    if not path.is_file():
        yield f"{path}: missing; `afterprune studies` writes it"
    if not path.is_file() or path.suffix == ".svg":
        return
    ours = path.read_text(encoding="utf-8")
    if ours != text:
        pairs = zip(ours.splitlines(), text.splitlines(), strict=False)
        shared = min(len(ours.splitlines()), len(text.splitlines()))
        first = next((n for n, (a, b) in enumerate(pairs) if a != b), shared)
        told = "is not what the studies' files give; `afterprune studies` writes it again"
        yield f"{path}: line {first + 1}: {told}"
