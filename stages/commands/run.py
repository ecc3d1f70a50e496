"""What `dvc repro` runs, several stages at once."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from stages.commands.blame import settings_blamed
from stages.commands.moved import moved
from stages.commands.stale import remove_stale_results
from stages.pipeline.command import run as run_application
from stages.pipeline.digests import CODE, code_digests
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json
from stages.pipeline.made import check_made
from stages.pipeline.params import lookup, read_yaml
from stages.runner.command import (
    Cold,
    Dry,
    Gpus,
    KeepGoing,
    PerGpu,
    Ray,
    Targets,
    Workers,
    options,
)
from stages.runner.dry import preview
from stages.runner.session import Options, run

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
    until_decided: Annotated[
        bool,
        typer.Option(
            "--until-decided",
            help="Add replicates, at the looks of compare.looks, until each pair is decided.",
        ),
    ] = False,
    pairs: Annotated[
        str | None,
        typer.Option(
            metavar="PAIRS",
            help="Which pairs: headline (the best schedule against the baseline, and the crossed "
            "comparison), baseline (every arm against it), or all. Default: headline.",
        ),
    ] = None,
) -> None:
    """Run what `dvc repro TARGETS` would, several stages at once, and record it the same way.

    A stage that needs several cores or GPUs, none, or to run alone, says so in dvc.yaml:
    `meta: {run: {cores: 2, gpus: 0, alone: true}}`.
    """
    asked = options(targets, workers, gpus, per_gpu, keep_going, cold, ray)
    if until_decided and (targets or dry):
        raise Fault("--until-decided runs the whole study; leave out targets and --dry")
    if pairs is not None and not until_decided:
        raise Fault(f"--pairs {pairs} says what --until-decided decides; add that")
    if dry:
        from stages.commands import explain  # a third of a second, for --dry alone

        with settings_blamed():
            print(preview(asked, explain.future()))
    elif until_decided:
        from stages.commands.growth import grow, pairs_named  # a second, of pandas and others

        raise typer.Exit(grow(lambda: run_ready(asked), pairs_named(pairs)))
    else:
        raise typer.Exit(run_ready(asked))


def run_ready(asked: Options) -> int:
    """Run the pipeline of this folder, and return the exit code."""
    with ready(asked.targets):
        return run(asked)


@contextmanager
def ready(targets: Sequence[str] = ()) -> Iterator[None]:
    """Be ready for a run: name what is wrong with params.yaml where DVC would not.

    Heal what `dvc commit -f` recorded of code, and refuse what it recorded of settings: where it
    recorded the old digests for new code, DVC has nothing to run. After it, say whether another
    environment moved the report.
    """
    with settings_blamed():
        check_made()
        if CODE.exists() and _edited_since(CODE.stat().st_mtime):
            if read_json(CODE) != code_digests(str(lookup(read_yaml(), "model.code"))):
                _digest()
            else:
                CODE.touch()
        remove_stale_results(targets)
        yield
        if line := moved():
            print(line)


def _digest() -> None:
    asked = [sys.executable, "-m", "dvc", "repro", "--quiet", "--force", "--single-item", "code"]
    done = subprocess.run(asked, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Fault(done.stderr.strip())


def _edited_since(moment: float) -> bool:
    """Whether a file of code is newer: to digest all of it takes half a second."""
    return any(path.stat().st_mtime > moment for path in Path("stages").rglob("*.py"))


if __name__ == "__main__":
    run_application(app)
