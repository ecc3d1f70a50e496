"""The command line of the runner."""

import os
from typing import Annotated

import typer

from stages.pipeline.fault import Fault
from stages.runner import gpus as devices
from stages.runner.cluster import HERE
from stages.runner.dry import preview
from stages.runner.dvc.forecast import Future
from stages.runner.session import Options, run

Targets = Annotated[
    list[str] | None, typer.Argument(help="Stages, as for dvc repro. Default: all.")
]
Workers = Annotated[
    int | None, typer.Option(min=1, help="Cores that stages and replicates share. Default: all.")
]
Gpus = Annotated[
    str, typer.Option(help="The GPUs that stages share: all, none, or numbers as in 0,2.")
]
PerGpu = Annotated[int, typer.Option("--per-gpu", min=1, help="How many stages share a GPU.")]
KeepGoing = Annotated[
    bool, typer.Option("--keep-going", help="A failed stage stops only what depends on it.")
]
Cold = Annotated[
    bool, typer.Option("--cold", help="Start each Python anew; fork none from a warm one.")
]
Ray = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Run on a cluster of Ray: auto (the one of this machine), its HOST:PORT or "
        "ray://HOST:PORT, or local (started here, for this run).",
    ),
]
Dry = Annotated[
    bool, typer.Option("--dry", help="Print what would run, why and how long; run nothing.")
]


def application() -> typer.Typer:
    """Return the command line of the runner alone."""
    app = typer.Typer(add_completion=False)

    @app.command()
    def main(
        targets: Targets = None,
        workers: Workers = None,
        gpus: Gpus = "all",
        per_gpu: PerGpu = 1,
        keep_going: KeepGoing = False,
        cold: Cold = False,
        ray: Ray = None,
        dry: Dry = False,
    ) -> None:
        """Run what `dvc repro TARGETS` would, several stages at once, and record it the same way.

        A stage that needs several cores or GPUs, none, or to run alone, says so in dvc.yaml:
        `meta: {run: {cores: 2, gpus: 0, alone: true}}`.
        """
        asked = options(targets, workers, gpus, per_gpu, keep_going, cold, ray)
        if dry:
            print(preview(asked, Future()))
            return
        raise typer.Exit(run(asked))

    return app


def options(
    targets: list[str] | None = None,
    workers: int | None = None,
    gpus: str = "all",
    per_gpu: int = 1,
    keep_going: bool = False,
    cold: bool = False,
    ray: str | None = None,
) -> Options:
    """Return what a command line asks for; a Fault where it contradicts itself."""
    if ray not in (None, HERE) and (workers or gpus != "all"):
        raise Fault(f"--ray {ray} shares all that the cluster has; leave out --workers and --gpus")
    shared = devices.gpus(gpus)
    return Options(tuple(targets or ()), workers or cores(), shared, per_gpu, keep_going, cold, ray)


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
