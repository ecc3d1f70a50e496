"""The command line of the runner."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated

import typer

from stages.pipeline.fault import Fault
from stages.runner import gpus as devices
from stages.runner.cluster import HERE
from stages.runner.dry import preview
from stages.runner.dvc.forecast import Future
from stages.runner.session import Options, run


def application(
    future: Callable[[], Future] = Future,
    ready: Callable[[], AbstractContextManager[None]] = nullcontext,
    previewing: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> typer.Typer:
    """Return the command line; `future` returns what some stages will write, for `--dry`.

    A run is within `ready()`, a preview within `previewing()`: they may prepare the project, or say
    better why DVC cannot read dvc.yaml.
    """
    app = typer.Typer(add_completion=False)

    @app.command()
    def main(
        targets: Annotated[
            list[str] | None, typer.Argument(help="Stages, as for dvc repro. Default: all.")
        ] = None,
        workers: Annotated[
            int | None,
            typer.Option(min=1, help="Cores that stages and replicates share. Default: all."),
        ] = None,
        gpus: Annotated[
            str, typer.Option(help="The GPUs that stages share: all, none, or numbers as in 0,2.")
        ] = "all",
        per_gpu: Annotated[
            int, typer.Option("--per-gpu", min=1, help="How many stages share a GPU.")
        ] = 1,
        keep_going: Annotated[
            bool, typer.Option("--keep-going", help="A failed stage stops only what depends on it.")
        ] = False,
        cold: Annotated[
            bool, typer.Option("--cold", help="Start each Python anew; fork none from a warm one.")
        ] = False,
        ray: Annotated[
            str | None,
            typer.Option(
                metavar="ADDRESS",
                help="Run on a cluster of Ray: auto (the one of this machine), its HOST:PORT or "
                "ray://HOST:PORT, or local (started here, for this run).",
            ),
        ] = None,
        dry: Annotated[
            bool, typer.Option("--dry", help="Print what would run, why and how long; run nothing.")
        ] = False,
    ) -> None:
        """Run what `dvc repro TARGETS` would, several stages at once, and record it the same way.

        A stage that needs several cores or GPUs, none, or to run alone, says so in dvc.yaml:
        `meta: {run: {cores: 2, gpus: 0, alone: true}}`.
        """
        if ray not in (None, HERE) and (workers or gpus != "all"):
            raise Fault(
                f"--ray {ray} shares all that the cluster has; leave out --workers and --gpus"
            )
        shared = devices.gpus(gpus)
        options = Options(
            tuple(targets or ()), workers or cores(), shared, per_gpu, keep_going, cold, ray
        )
        if dry:
            with previewing():
                print(preview(options, future()))
            return
        with ready():
            code = run(options)
        raise typer.Exit(code)

    return app


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
