"""How every stage and command ends: a Fault is one line on stderr and exit code 1."""

import sys
from typing import Annotated

import typer

from stages.fault import Fault

MethodName = Annotated[str, typer.Option("--method", help="A pruning method of params.yaml.")]
ScheduleName = Annotated[
    str, typer.Option("--schedule", help="A schedule, a key of retrain.schedules.")
]
IterativeFlag = Annotated[
    bool, typer.Option("--iterative", help="The method is a key of prune.iterative.")
]


def run(app: typer.Typer) -> None:
    """Run a command line."""
    try:
        app()
    except Fault as fault:
        sys.exit(f"{fault}")
