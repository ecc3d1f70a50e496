"""The command line of the runner."""

import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from stages.runner.dvc.pipeline import Pipeline
from stages.runner.run import BROKEN, Options, Report, Run
from stages.runner.times import longest_chains, read_times, write_times
from stages.runner.view import tail, view
from stages.runner.workers import Workers

LINES = 15
"""How much of a failed stage's log is printed at the end."""
app = typer.Typer(add_completion=False)


@app.command()
def main(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages, as for dvc repro. Default: all.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Stages at once. Default: the cores there are.")
    ] = None,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="A failed stage stops only what depends on it.")
    ] = False,
    dry: Annotated[bool, typer.Option("--dry", help="Print what would run; run nothing.")] = False,
) -> None:
    """Run what `dvc repro TARGETS` would, several stages at once, and record it the same way."""
    if dry:
        print("\n".join(forecast(Pipeline(targets or ()))) or "nothing to run")
        return
    crew = Workers()
    try:
        with signals(crew):
            code = run(targets or (), crew, workers or cores(), keep_going)
    finally:
        crew.close()
    raise typer.Exit(code)


def run(targets: Sequence[str], crew: Workers, number: int, keep_going: bool) -> int:
    """Run a pipeline, print how it went, and return the exit code."""
    pipeline = Pipeline(targets, stopped=lambda: bool(crew.stopped))
    folder = Path(pipeline.folder, "runner")
    options = Options(number, keep_going, folder / "logs")
    options.logs.mkdir(parents=True, exist_ok=True)
    times = read_times(folder / "times.json")
    chains = longest_chains(list(pipeline.needs), pipeline.after, times)
    with view(len(chains)) as shown:
        runner = Run(pipeline, crew, shown, options, chains)
        try:
            report = runner.run()
        finally:
            crew.close()
            pipeline.close()
    ran = {name: report.seconds[name] for name, how in report.outcomes.items() if how == "ran"}
    write_times(folder / "times.json", {**times, **ran})
    print("\n".join(summary(report, runner)))
    return 128 + crew.stopped if crew.stopped else int(bool(report.reasons))


def summary(report: Report, runner: Run) -> Iterator[str]:
    """Yield why stages failed, with the last lines of their logs, and how many ended how."""
    for name, reason in report.reasons.items():
        yield f"\n{name} failed: {reason}"
        log = runner.log(name)
        if name in report.seconds:
            yield from (f"  {line}" for line in tail(log, LINES))
            yield f"  ({log})"
    stopped = [name for name, how in report.outcomes.items() if how in BROKEN - {"failed"}]
    if stopped:
        yield f"\nnot done: {', '.join(stopped)}"
    counts = Counter(report.outcomes.values())
    yield ", ".join(f"{number} {how}" for how, number in sorted(counts.items())) or "no stages"


def forecast(pipeline: Pipeline) -> Iterator[str]:
    """Yield a line for every stage that would not stay as it is, in DVC's order.

    What a stage writes is not known before it runs: those behind it may run.
    """
    moving: set[str] = set()
    words = {"ready": "run", "restored": "restore", "verified": "verify"}
    with pipeline.held():
        for name, needs in pipeline.needs.items():
            behind = sorted(needs & moving)
            found = pipeline.forecast(name, restorable=not behind)
            if found == "unchanged" and not behind:
                continue
            moving.add(name)
            reason = f"  behind {', '.join(behind)}" if behind else ""
            yield f"{words.get(found, 'may run'):<9} {name}{reason}"


@contextmanager
def signals(crew: Workers) -> Iterator[None]:
    """Stop the stages, not this process, when told to: what finished is still recorded."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in before:
        signal.signal(number, lambda number, _: crew.stop(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
