"""Join all kept studies on one page, or run them again."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from stages.commands.joined import STUDIES, join, kept
from stages.commands.keep import keep
from stages.commands.preset import refuse_loss
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.made import LOCK
from stages.pipeline.params import PARAMS, nearest, shown
from stages.presets.preset import preset_files

app = typer.Typer(add_completion=False)


@app.command()
def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Of those to run again. Default: all.")
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="First run them again, each by its own params.yaml.")
    ] = False,
) -> None:
    """Write reports/studies/README.md, which joins the verdicts of all kept studies.

    The study in reports/ takes part, where it is that of params.yaml. To run a study again makes
    its params.yaml that of the project for as long as it runs; what is in the cache runs no more.
    """
    known = [folder.name for folder in kept()]
    for name in names or ():
        if name not in known:
            ours = nearest(name, known) if known else "`afterprune keep NAME` adds one"
            raise Fault(f"no study {shown(name)} in {STUDIES}; {ours}")
    if names and not rerun:
        raise Fault(
            f"{' '.join(names)}: the page joins all studies; --rerun runs some of them again"
        )
    if rerun:
        refuse_loss(preset_files(), "commit them first")
        run_again(names or known)
    join()


def run_again(names: Sequence[str]) -> None:
    """Run kept studies again and keep them; then bring back the one of this project."""
    with put_back(PARAMS, LOCK):
        for name in names:
            print(f"{name}:", flush=True)
            shutil.copyfile(STUDIES / name / PARAMS, PARAMS)
            _run(name)
            keep(STUDIES / name)
    print(f"{PARAMS} as it was:", flush=True)
    _run(f"{PARAMS}")


@contextmanager
def put_back(*paths: Path) -> Iterator[None]:
    """Write files again as they were before the block, also after a fault; remove new ones."""
    before = {path: path.read_bytes() if path.exists() else None for path in paths}
    try:
        yield
    finally:
        for path, content in before.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)


def _run(what: str) -> None:
    if subprocess.run([sys.executable, "-m", "stages.commands", "run"]).returncode:
        raise Fault(
            f"{what}: its run failed, as it says above; {PARAMS} and {LOCK} are as they were, and "
            "`dvc repro` brings the report back"
        )


if __name__ == "__main__":
    run(app)
