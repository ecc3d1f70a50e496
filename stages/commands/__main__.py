"""`afterprune`: what people run that is no stage."""

import ast
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from stages.commands.layout import columns
from stages.pipeline.command import faults_in_one_line, run
from stages.pipeline.fault import Fault
from stages.pipeline.params import nearest

FOLDER = Path(__file__).parent
HINT = "`afterprune COMMAND --help` has the options; `dvc repro` runs the study of params.yaml."


def main() -> None:
    """Run the command that the command line names, or list the commands."""
    with faults_in_one_line():
        dispatch(sys.argv[1:])


def dispatch(words: Sequence[str]) -> None:
    """Import the named command alone, since some take seconds to import, and run it."""
    known = commands()
    match words:
        case [] | ["--help"]:
            print(f"Usage: afterprune COMMAND [OPTIONS]\n\n{columns(known.items())}\n\n{HINT}")
        case [name, *rest] if name in known:
            run(import_module(f"stages.commands.{name}").app, rest, f"afterprune {name}")
        case [name, *_]:
            raise Fault(f"no command {name!r}; {nearest(name, known)}")


def commands() -> dict[str, str]:
    """Return what every command does, by name: the first line of its module's docstring."""
    sources = {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.py"))}
    return {name: _summary(text) for name, text in sources.items() if "\napp = " in text}


def _summary(source: str) -> str:
    return (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]


if __name__ == "__main__":
    main()
