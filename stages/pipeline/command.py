"""The command line of every stage and command, and how each ends."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from stages.pipeline.fault import Fault

MethodName = Annotated[
    str, typer.Option("--method", help="A key of prune.methods or prune.iterative.")
]
ScheduleName = Annotated[str, typer.Option("--schedule", help="A key of retrain.schedules.")]


@contextmanager
def faults_in_one_line() -> Iterator[None]:
    """Run a command line: a Fault is printed on stderr without a traceback, and exits with 1."""
    if sys.platform == "win32":
        sys.exit("afterprune runs on Linux and macOS; on Windows, use WSL")
    try:
        yield
    except Fault as fault:
        sys.exit(f"{fault}")
