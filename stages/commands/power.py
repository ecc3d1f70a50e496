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
from stages.reporting.settings import Compare
from stages.runner.times import duration
from stages.statistics.power import difference_power, equivalence_power, replicates_needed
from stages.study.settings import Study

app = typer.Typer(add_completion=False)


@app.command()
def main(
    power: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="The chance to decide a pair.")
    ] = 0.8,
    most: Annotated[
        int, typer.Option(min=2, max=10_000, help="Replicates that are not worth asking for.")
    ] = 48,
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
        print("", table(shown, report.settings, power, most), sep="\n")


def table(found: Sequence[Pair], settings: Compare, power: float, most: int) -> str:
    """Return a line for each pair, with the time on this machine where the images are prepared."""
    needs = [needed(pair, settings, power, most) for pair in found]
    seconds = replicate_seconds() if any(needs) else None
    head = ("pair", "difference", "sd", "n", "verdict", "replicates", "time for the others")
    rows = [
        (
            f"{pair.first} - {pair.second}",
            f"{pair.difference.mean:+.2f}",
            f"{pair.difference.sd:.2f}",
            f"{pair.difference.n}",
            pair.verdict,
            _replicates(pair, need, most),
            "" if seconds is None or need is None else _time(need - pair.difference.n, seconds),
        )
        for pair, need in zip(found, needs, strict=True)
    ]
    return columns([head, *rows])


def needed(pair: Pair, settings: Compare, power: float, most: int) -> int | None:
    """Return the replicates that decide a pair with this power; None for more than `most`."""
    value, alpha = pair.difference, 1 - settings.confidence
    if not value.has_interval:
        return None
    return replicates_needed(
        lambda n: max(
            difference_power(value.mean, value.sd, n, alpha),
            equivalence_power(value.mean, value.sd, n, settings.margin, alpha),
        ),
        power,
        most,
    )


def replicate_seconds() -> float | None:
    """Return what one more replicate of the study takes here; None, and a line, if not known."""
    from stages.commands import price  # torch, for this alone

    study: Study = parse(Study, read_yaml())
    try:
        return price.replicate_seconds(study)
    except Fault as fault:
        print(f"the time is not known: {fault}", file=sys.stderr)
        return None


def _replicates(pair: Pair, need: int | None, most: int) -> str:
    if not pair.difference.has_interval:
        return "not known from one"
    return f"more than {most}" if need is None else f"{need}"


def _time(replicates: int, seconds: float) -> str:
    return duration(max(replicates, 0) * seconds)


if __name__ == "__main__":
    run(app)
