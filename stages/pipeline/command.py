"""The command line of every stage and command, and how each ends."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from stages.pipeline.fault import Fault
from stages.pipeline.machine import machine_faults
from stages.pipeline.params import nearest, printable
from stages.pipeline.watch import leaving_when_told

MethodName = Annotated[
    str, typer.Option("--method", help="A key of prune.methods or prune.iterative.")
]
ScheduleName = Annotated[str, typer.Option("--schedule", help="A key of retrain.schedules.")]
USAGE_ERROR: Any = typer.BadParameter.__bases__[0]
"""Click's error of a command line; typer brings a click of its own, or imports the other."""
MISUSED = 2
"""The exit code of a command line that cannot be read, as a shell's own commands have it."""


@contextmanager
def faults_in_one_line() -> Iterator[None]:
    """Run a command line: a Fault is printed on stderr without a traceback, and exits with 1.

    So is what the system says of a file, as that it may not be read, or that the disk is full.
    SIGTERM ends it with 143, once all that it does is cleaned up.
    """
    if sys.platform == "win32":
        sys.exit("afterprune runs on Linux and macOS; on Windows, use WSL")
    try:
        with leaving_when_told(_say_so), machine_faults():
            yield
    except Fault as fault:
        sys.exit(f"{fault}")
    except OSError as error:
        if error.filename is None:
            raise
        sys.exit(f"{printable(error.filename)}: {error.strerror}")


@contextmanager
def command_line(
    app: typer.Typer, words: Sequence[str] | None = None, name: str | None = None
) -> Iterator[None]:
    """Let the block call an application, not standalone, as the command line `name` of a process.

    Words that it cannot read are one line on stderr, and exit with 2; None: those of `sys.argv`.
    """
    words = sys.argv[1:] if words is None else words
    name = name or f"python -m {getattr(sys.modules['__main__'].__spec__, 'name', '')}"
    with faults_in_one_line():
        try:
            yield
        except USAGE_ERROR as error:
            typed = " ".join([name, *shlex.join(words).split()])
            print(f"{typed}: {_wrong(error, app)}; see {name} --help", file=sys.stderr)
            sys.exit(MISUSED)


def run(app: typer.Typer, words: Sequence[str] | None = None, name: str | None = None) -> None:
    """Run an application as a `command_line`, and exit with what it returns."""
    with command_line(app, words, name):
        sys.exit(app(words, prog_name=name, standalone_mode=False) or 0)


def _say_so() -> None:
    print("stopped by SIGTERM; run it again to go on from what is kept", file=sys.stderr)


def _wrong(error: Any, app: typer.Typer) -> str:
    """Return what is wrong with the words of a command line, and the nearest option."""
    if unknown := getattr(error, "option_name", None):
        options = [name for each in typer.main.get_command(app).params for name in each.opts]
        if unknown not in options:
            known = [name for name in options if name.startswith("-")]
            return f"no option {unknown}; {nearest(unknown, known or ['--help'])}"
    return " ".join(error.format_message().split()).rstrip(".")
