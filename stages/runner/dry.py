"""`--dry`: what would run, why, and how long it would take."""

from collections.abc import Iterator, Mapping, Sequence

from stages.runner.dvc.forecast import Forecast, Future, forecasts
from stages.runner.dvc.pipeline import Pipeline
from stages.runner.session import TIMES, Options, demands_of, runner_folder
from stages.runner.times import expected, kind, makespan, read_times


def preview(options: Options, future: Future) -> str:
    """Return a line for each reason of each stage that is not up to date, and the time of all."""
    pipeline = Pipeline(options.targets)
    found = forecasts(pipeline, future)
    if not found:
        return "nothing to run"
    times = expected([each.stage for each in found], read_times(runner_folder() / TIMES))
    untimed = {each.stage for each in found if each.verdict != "restored"} - times.keys()
    guessed = future.seconds(options.cores) if untimed else {}
    guessed = {name: guessed[name] for name in guessed.keys() & untimed}
    times |= guessed
    sure = {each.stage: times.get(each.stage, 0.0) for each in found if each.verdict == "runs"}
    most = {each.stage: times.get(each.stage, 0.0) for each in found if each.verdict != "restored"}
    demands = demands_of(pipeline)
    least, longest = (
        makespan(pipeline.after, seconds, demands, *options.room) for seconds in (sure, most)
    )
    unknown = sorted({kind(name) for name in most if name not in times})
    return (
        f"{table(found, times)}\n\n{total(least, longest, options.cores, unknown, bool(guessed))}"
    )


def table(found: Sequence[Forecast], times: Mapping[str, float] | None = None) -> str:
    """Return a line for each reason of each stage, with the seconds that are known of it."""
    rows = [row for each in found for row in _rows(each, times)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True) if width]
    return "  ".join(cells).rstrip()


def _rows(each: Forecast, times: Mapping[str, float] | None) -> Iterator[tuple[str, ...]]:
    seconds = ""
    if times is not None and each.verdict != "restored":
        seconds = f"{times[each.stage]:.1f} s" if each.stage in times else "unknown"
    for number, reason in enumerate(each.reasons):
        yield ("", "", "", reason) if number else (each.stage, each.verdict, seconds, reason)


def total(
    least: float, most: float, cores: int, unknown: Sequence[str], guessed: bool = False
) -> str:
    """Return how long a run takes, and of which kinds of stages that is not known.

    `guessed` says that some of it was timed now, since no earlier run did.
    """
    span = f"{most:.0f} s" if round(least) == round(most) else f"{least:.0f} to {most:.0f} s"
    lines = []
    if most or not unknown:
        source = "what was timed now and by " if guessed else ""
        lines.append(f"about {span} with --workers {cores}, by {source}the times of earlier runs")
    if unknown:
        lines.append(f"not known: the time of {', '.join(unknown)}")
    return "\n".join(lines)
