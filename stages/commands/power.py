"""How many replicates each undecided pair of arms still needs, and how long that takes."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from stages.commands.finished import finished_report
from stages.commands.layout import columns
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse, read_yaml
from stages.reporting.pairs import Pair, pairs
from stages.reporting.report import Report
from stages.runner.times import duration
from stages.statistics.decisions import decisive
from stages.statistics.power import MOST, POWER
from stages.study.settings import Study

app = typer.Typer(add_completion=False)


@app.command()
def main(
    power: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="The chance to decide a pair.")
    ] = POWER,
    most: Annotated[
        int, typer.Option(min=2, max=10_000, help="Replicates that are not worth asking for.")
    ] = MOST,
    every: Annotated[bool, typer.Option("--all", help="List the decided pairs too.")] = False,
) -> None:
    """Say what it takes to decide every pair of arms that the report holds against each other.

    Effect and spread are taken as the replicates so far show them, so the numbers are rough where
    these are few. A pair is decided when one is better, or when both are the same to within
    compare.margin.
    """
    report = finished_report()
    found = pairs(report)
    undecided = [pair for pair in found if pair.verdict == "undecided"]
    print(f"{len(found) - len(undecided)} of {len(found)} pairs are decided")
    shown = found if every else undecided
    if shown:
        print("", table(shown, report, power, most), sep="\n")


def table(found: Sequence[Pair], report: Report, power: float, most: int) -> str:
    """Return a line for each pair, with the time on this machine where the images are prepared.

    Where looks are planned, the replicates are those of a study that ends with them.
    """
    needs = [_needed(pair, report, power, most) for pair in found]
    seconds = replicate_seconds() if any(needs) else None
    first = ("pair", "differ in", "difference", "sd", "n", "verdict")
    head = (*first, "replicates", "time for the others")
    rows = [
        (
            f"{pair.first} - {pair.second}",
            ", ".join(pair.changes),
            f"{pair.difference.mean:+.2f}",
            f"{pair.difference.sd:.2f}",
            f"{pair.difference.n}",
            pair.verdict,
            _replicates(pair, need, most),
            ""
            if seconds is None or need is None
            else duration((need - pair.difference.n) * seconds),
        )
        for pair, need in zip(found, needs, strict=True)
    ]
    return columns([head, *rows])


def replicate_seconds(study: Study | None = None) -> float | None:
    """Return what one more replicate takes here; None, and a line, where that is not known.

    Of params.yaml, or of another study with the same data.
    """
    from stages.commands import price  # torch, for this alone

    study = study or parse(Study, read_yaml())
    try:
        return price.replicate_seconds(study)
    except Fault as fault:
        print(f"the time is not known: {fault}", file=sys.stderr)
        return None


def _needed(pair: Pair, report: Report, power: float, most: int) -> int | None:
    """Return the replicates that decide an open pair, if these are no more than `most`."""
    if pair.verdict != "undecided":
        return None
    return decisive(pair.difference, report.settings.margin, report.last_levels, power, most)


def _replicates(pair: Pair, need: int | None, most: int) -> str:
    if pair.verdict != "undecided":
        return "enough"
    if not pair.difference.has_interval:
        return "not known from one"
    return f"more than {most}" if need is None else f"{need}"


if __name__ == "__main__":
    run(app)
