"""The pairs of arms that the report holds against each other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from stages.reporting.crossing import changes, choose
from stages.reporting.measures import last_test
from stages.reporting.report import Report
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate, paired
from stages.statistics.verdicts import Verdict


@dataclass(frozen=True)
class Pair:
    """Two arms, as METHOD-SCHEDULE, what they differ in, and what is known of their difference.

    It is the first minus the second.
    """

    first: str
    second: str
    changes: tuple[str, ...]
    difference: Estimate
    verdict: Verdict


class Asked(StrEnum):
    """Pairs that a study may grow for.

    headline: the best schedule against the baseline under the informed method, and the crossed
    comparison; where the baseline is the best, what it is the best of. baseline: every arm against
    its baseline. all: those of `every`.
    """

    headline = "headline"
    baseline = "baseline"
    all = "all"


def pairs(report: Report, asked: Asked = Asked.all) -> list[Pair]:
    """Return the pairs asked for, each once; arms with a replicate that diverged are in none."""
    found: dict[frozenset[str], Pair] = {}
    for first, second in PAIRS[asked](report):
        key = frozenset((_name(first), _name(second)))
        if len(key) == 2 and key not in found and not (first.diverged or second.diverged):
            value = paired(last_test(first), last_test(second), report.settings.confidence)
            verdict = report.verdict(value)
            differing = tuple(changes(report, first, second))
            found[key] = Pair(_name(first), _name(second), differing, value, verdict)
    return list(found.values())


def headline(report: Report) -> Iterator[tuple[ArmResult, ArmResult]]:
    """Yield the two pairs that a study is about; see `Asked`."""
    arms, settings = report.results.arms, report.settings
    best = choose(report)
    base = arms[settings.informed, settings.baseline]
    if best is None:
        return
    schedule, _ = best
    if schedule != settings.baseline:
        yield arms[settings.informed, schedule], base
        yield arms[settings.random, schedule], base
        return
    for arm in report.results.of(settings.informed):
        if arm.start != "fresh" and arm.epochs == base.epochs:
            yield arm, base


def to_baseline(report: Report) -> Iterator[tuple[ArmResult, ArmResult]]:
    """Yield every arm and its baseline."""
    for arm in report.results.arms.values():
        yield arm, report.baseline_of(arm)


def every(report: Report) -> Iterator[tuple[ArmResult, ArmResult]]:
    """Yield the best arm of a contest and its rivals, and arms and their baselines.

    And the random method under each schedule against the informed method, under the same schedule
    and under the baseline.
    """
    arms = report.results.arms
    for cell in report.cells:
        for rival in cell.contest.margins:
            yield arms[cell.method, cell.contest.best], arms[cell.method, rival]
    yield from to_baseline(report)
    settings = report.settings
    for schedule in report.results.schedules:
        ours = arms[settings.random, schedule]
        yield ours, arms[settings.informed, schedule]
        yield ours, arms[settings.informed, settings.baseline]


PAIRS: dict[Asked, Callable[[Report], Iterable[tuple[ArmResult, ArmResult]]]] = {
    Asked.headline: headline,
    Asked.baseline: to_baseline,
    Asked.all: every,
}


def _name(arm: ArmResult) -> str:
    return f"{arm.method}-{arm.schedule}"
