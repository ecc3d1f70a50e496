"""How every stage and command ends: a Fault is one line on stderr and exit code 1."""

import sys

import typer

from stages.fault import Fault


def run(app: typer.Typer) -> None:
    """Run a command line."""
    try:
        app()
    except Fault as fault:
        sys.exit(f"{fault}")
