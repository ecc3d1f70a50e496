"""How fast this project is: ratios of contenders that take turns in one run."""

import sys
from pathlib import Path
from typing import Annotated

import torch
import typer

from stages.commands.layout import columns
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.files import check_target
from stages.pipeline.params import nearest
from tests.benchmarks.cases import Case, cases
from tests.benchmarks.machine import header, warn_if_busy
from tests.benchmarks.ratios import Row
from tests.benchmarks.setting import Device
from tests.benchmarks.table import save, text

app = typer.Typer(add_completion=False)


@app.command()
def main(
    case: Annotated[list[str] | None, typer.Argument(help="What to measure. Default: all.")] = None,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Turns of each contender. Default: 5; long cases: 1."),
    ] = None,
    device: Annotated[Device, typer.Option(help="Where networks compute.")] = Device.cpu,
    csv: Annotated[Path | None, typer.Option(help="Write all rows to this file too.")] = None,
    show: Annotated[bool, typer.Option("--list", help="List the cases; measure nothing.")] = False,
) -> None:
    """Print ratios of speed: n, median and range over the rounds, beside the medians."""
    known = cases(device)
    if show:
        print(columns([(name, entry.about) for name, entry in known.items()]))
        return
    if csv:
        check_target(csv)
    chosen = choose(known, case or list(known), device)
    if device is Device.cuda and not torch.cuda.is_available():
        raise Fault("--device is cuda; this machine has no CUDA device, use cpu")
    warn_if_busy()
    print(header(device), *skips(chosen), sep="\n", flush=True)
    rows: list[Row] = []
    for entry in chosen:
        measured = entry.rows(rounds or entry.rounds)
        print(f"\n{text(measured)}", flush=True)
        rows += measured
        if csv:
            save(csv, rows)


def choose(known: dict[str, Case], names: list[str], device: Device) -> list[Case]:
    """Return the cases of these names; one line on stderr and exit code 2 for an unknown one."""
    for name in names:
        if name not in known:
            print(f"no case {name!r} on {device}; {nearest(name, known)}", file=sys.stderr)
            raise typer.Exit(2)
    return [known[name] for name in names]


def skips(chosen: list[Case]) -> list[str]:
    """Return what the cases skip and why, each line once."""
    return list(dict.fromkeys(case.skipped for case in chosen if case.skipped))


if __name__ == "__main__":
    run(app)
