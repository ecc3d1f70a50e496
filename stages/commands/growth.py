"""A study that grows, look by look, until it has decided what it is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from stages.commands.finished import finished_report
from stages.commands.layout import columns
from stages.commands.power import replicate_seconds
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_text
from stages.pipeline.params import PARAMS, lookup, nearest, parse, read_yaml
from stages.presets.overlay import with_value
from stages.replicates.settings import Seeds
from stages.reporting.pairs import Asked, Pair, pairs
from stages.reporting.report import Report
from stages.reporting.settings import Compare
from stages.reporting.words import count, listed
from stages.runner.times import duration
from stages.statistics.decisions import LEAST_CHANCE, chance_to_decide, decisive, next_look
from stages.statistics.power import MOST


@dataclass(frozen=True)
class Open:
    """A pair that is not decided, its chance at the last look, and the replicates it needs."""

    pair: Pair
    chance: float
    needed: int | None


def pairs_named(name: str | None) -> Asked:
    """Return which pairs a word asks for; the headline's where it is None."""
    if name is not None and name not in [*Asked]:
        raise Fault(f"--pairs is {name!r}; {nearest(name, Asked)}")
    return Asked(name or Asked.headline)


def grow(run: Callable[[], int], asked: Asked) -> int:
    """Run the study at one look after another, and return the exit code of the last run.

    It sets `seeds` in params.yaml to the replicates of each look before it runs that, so that the
    file says what the results rest on, and whatever ends this early, it goes on from there.
    """
    seeds, looks = _planned()
    _raise(seeds, next(look for look in looks if look >= seeds))
    seconds = cache(replicate_seconds)
    while True:
        if code := run():
            return code
        report = finished_report()
        assert report.look
        found = pairs(report, asked)
        if not found:
            raise Fault(f"--pairs {asked}: no two arms to compare finished")
        still = _open(report, found)
        print(_table(report, found, still), flush=True)
        now = report.look.replicates
        then = next_look(looks, now, [each.chance for each in still])
        if then is None:
            print(_ending(report, still, seconds))
            return 0
        print(f"{_names(still)} open: on to {then} replicates{_time(then - now, seconds)}")
        _raise(now, then)


def _planned() -> tuple[int, Sequence[int]]:
    """Return the replicates and the looks of params.yaml; a Fault where no look is to come."""
    tree = read_yaml()
    seeds: int = parse(Seeds, lookup(tree, "seeds"), "seeds")
    compare: Compare = parse(Compare, lookup(tree, "compare"), "compare")
    if not compare.looks:
        raise Fault(
            f"{PARAMS}: compare.looks is empty; --until-decided needs the numbers of replicates at "
            "which the study is looked at, planned before it is, as in [6, 9, 12, 16]"
        )
    if seeds > compare.looks[-1]:
        raise Fault(
            f"{PARAMS}: seeds is {seeds}; it should be at most {compare.looks[-1]}, the last of "
            "compare.looks"
        )
    return seeds, compare.looks


def _raise(seeds: int, replicates: int) -> None:
    if replicates != seeds:
        text = PARAMS.read_text(encoding="utf-8")
        write_text(PARAMS, with_value(text, "seeds", replicates))
        print(f"{PARAMS}: seeds is now {replicates}, was {seeds}", flush=True)


def _open(report: Report, found: Sequence[Pair]) -> list[Open]:
    assert report.look
    last, margin, levels = report.look.planned[-1], report.settings.margin, report.last_levels
    return [
        Open(
            pair,
            chance_to_decide(pair.difference, last, margin, levels),
            decisive(pair.difference, margin, levels),
        )
        for pair in found
        if pair.verdict == "undecided"
    ]


def _table(report: Report, found: Sequence[Pair], still: Sequence[Open]) -> str:
    """Return the verdict of each pair, by the rule and the levels of the report."""
    look = report.look
    assert look
    chances = {each.pair: f"{100 * each.chance:.0f} %" for each in still}
    head = ("pair", "difference", "sd", "verdict", f"chance by {look.planned[-1]}")
    rows = [
        (
            f"{pair.first} - {pair.second}",
            f"{pair.difference.mean:+.2f}",
            f"{pair.difference.sd:.2f}",
            pair.verdict,
            chances.get(pair, ""),
        )
        for pair in found
    ]
    planned = listed([str(number) for number in look.planned])
    title = (
        f"{look.replicates} replicates, of looks at {planned}: better or worse takes "
        f"p < {look.levels.difference:.2g}"
    )
    return f"\n{title}\n\n{columns([head, *rows])}\n"


def _ending(report: Report, still: Sequence[Open], seconds: Callable[[], float | None]) -> str:
    """Say that all is decided, or why no more replicates are added, and what it would take."""
    look = report.look
    assert look
    if not still:
        return f"decided with {count(look.replicates, 'replicate')}; reports/README.md has the rest"
    why = f"the last look, at {look.planned[-1]} replicates, is done"
    if look.replicates < look.planned[-1]:
        least = f"{100 * LEAST_CHANCE:.0f} %"
        why = f"none has a chance of {least} to be decided by {look.planned[-1]} replicates"
    return "\n".join([f"{_names(still)} open; {why}", *(_need(each, seconds) for each in still)])


def _need(each: Open, seconds: Callable[[], float | None]) -> str:
    value, name = each.pair.difference, f"{each.pair.first} - {each.pair.second}"
    if each.needed is None:
        return f"  {name}: more than {MOST} replicates, with sd {value.sd:.2f}"
    more = each.needed - value.n
    return f"  {name}: about {count(each.needed, 'replicate')} in all{_time(more, seconds)}"


def _names(still: Sequence[Open]) -> str:
    return f"{count(len(still), 'pair')} {'is' if len(still) == 1 else 'are'}"


def _time(replicates: int, seconds: Callable[[], float | None]) -> str:
    """Return how long so many more replicates take, where that is known."""
    one = seconds() if replicates > 0 else None
    return "" if one is None else f", about {duration(replicates * one)} more"
