"""Join all kept studies: a page, a table, an explorer; check them, or run them again."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from stages.commands import checked
from stages.commands.joined import STUDIES, around_answers, join, kept
from stages.commands.keep import keep
from stages.commands.preset import refuse_loss
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.files import replacing
from stages.pipeline.made import LOCK
from stages.pipeline.params import PARAMS, nearest, shown
from stages.presets.preset import preset_files

app = typer.Typer(add_completion=False)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@app.command()
def main(
    names: Annotated[
        list[str] | None, typer.Argument(help="Of those to run again. Default: all.")
    ] = None,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="First run them again, each by its own params.yaml.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing: tell what is wrong with their files.")
    ] = False,
) -> None:
    """Write what joins all kept studies: reports/studies/README.md, results.csv, explorer.html.

    And what they say together, between the marks of README.md, where it has them.

    The study in reports/ takes part, where it is that of params.yaml. To run a study again makes
    its params.yaml that of the project for as long as it runs; what is in the cache runs no more.

    --check holds each study's tables to their columns, ranges and replicates, computes those of
    arms, pairs and winners again, and compares what joins the studies with what this command would
    write.
    """
    if check:
        if names or rerun:
            raise Fault("--check is about all studies as they are; give nothing beside it")
        print(f"as they should be: {', '.join(checked.check()) or 'no study'}")
        return
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
        around_answers()  # told of before the studies run, not after
        run_again(names or known)
    join()


def run_again(names: Sequence[str]) -> None:
    """Run kept studies again and keep them; then bring back the one of this project."""
    with put_back(PARAMS, LOCK):
        for name in names:
            print(f"{name}:", flush=True)
            _write(PARAMS, (STUDIES / name / PARAMS).read_bytes())
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
                _write(path, content)


def _run(what: str) -> None:
    code, told = to_its_end([sys.executable, "-m", "stages.commands", "run"])
    if told:
        print("stopped; what is done is kept, and the same command goes on from there")
        raise SystemExit(code)
    if code:
        raise Fault(
            f"{what}: its run failed, as it says above; {PARAMS} and {LOCK} are as they were, and "
            "`dvc repro` brings the report back"
        )


def to_its_end(command: Sequence[str]) -> tuple[int, bool]:
    """Run a command, pass it the signals that come, and wait until it has ended by itself.

    Return its exit code, and whether there were signals. It has a group of its own: of a terminal's
    Ctrl-C it would hear twice, and the runner kills its stages at a second signal.
    """
    told: list[int] = []
    child: subprocess.Popen[bytes] | None = None

    def tell(number: int, _: object) -> None:
        told.append(number)
        if child:
            child.send_signal(number)

    before = {number: signal.signal(number, tell) for number in SIGNALS}
    try:
        child = subprocess.Popen(command, process_group=0)
        if told:  # before there was a child
            child.send_signal(told[0])
        code = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code, bool(told)


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as aside:
        aside.write_bytes(content)


if __name__ == "__main__":
    run(app)
