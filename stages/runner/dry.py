"""`--dry`: what would run, why, and how long it would take."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from stages.runner.dvc.forecast import Forecast, Future, forecasts
from stages.runner.dvc.pipeline import Pipeline
from stages.runner.session import TIMES, Options, demands_of, runner_folder
from stages.runner.times import expected, kind, makespan, read_times


def preview(options: Options, future: Future) -> str:
    """Return a line for each reason of each stage that is not up to date, and the time of all."""
    pipeline = Pipeline(options.targets)
    reset = pipeline.reset()  # before the forecasts, which set what the stages depend on
    found = forecasts(pipeline, future)
    if not found:
        return "nothing to run"
    computed = [each.stage for each in found if each.verdict != "restored"]
    times, sources = _times(computed, reset, lambda: future.seconds(options.cores))
    sure = {each.stage: times.get(each.stage, 0.0) for each in found if each.verdict == "runs"}
    most = {name: times.get(name, 0.0) for name in computed}
    demands = demands_of(pipeline)
    least, longest = (
        makespan(pipeline.after, seconds, demands, *options.room) for seconds in (sure, most)
    )
    unknown = sorted({kind(name) for name in most if name not in times})
    return f"{table(found, times)}\n\n{total(least, longest, options.cores, unknown, *sources)}"


def _times(
    names: Sequence[str], reset: Collection[str], timed: Callable[[], Mapping[str, float]]
) -> tuple[dict[str, float], tuple[bool, bool]]:
    """Return the seconds of stages; whether some are `timed` now, and some of other settings.

    Earlier runs of the stages `reset` had other settings: they count where there is nothing better.
    """
    earlier = expected(names, read_times(runner_folder() / TIMES))
    unsure = {name for name in names if name in reset or name not in earlier}
    guessed = timed() if unsure else {}
    now = {name: guessed[name] for name in guessed.keys() & unsure}
    return earlier | now, (bool(now), bool((unsure & earlier.keys()) - now.keys()))


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
    least: float,
    most: float,
    cores: int,
    unknown: Sequence[str],
    guessed: bool = False,
    rough: bool = False,
) -> str:
    """Return how long a run takes, and of which kinds of stages that is not known.

    `guessed` says that some of it was timed now, since no earlier run did with these settings;
    `rough` that for some of it there is no more than the time with others.
    """
    span = f"{most:.0f} s" if round(least) == round(most) else f"{least:.0f} to {most:.0f} s"
    lines = []
    if most or not unknown:
        source = "what was timed now and by " if guessed else ""
        source += "the times of earlier runs"
        source += ", some with other settings (rough)" if rough else ""
        lines.append(f"about {span} with --workers {cores}, by {source}")
    if unknown:
        lines.append(f"not known: the time of {', '.join(unknown)}")
    return "\n".join(lines)
