"""The pairs of arms that the report holds against each other."""

from collections.abc import Iterator
from dataclasses import dataclass

from stages.reporting.measures import last_test
from stages.reporting.report import Report
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate, paired
from stages.statistics.verdicts import Verdict


@dataclass(frozen=True)
class Pair:
    """Two arms, as METHOD-SCHEDULE, and what is known of the first minus the second."""

    first: str
    second: str
    difference: Estimate
    verdict: Verdict


def pairs(report: Report) -> list[Pair]:
    """Return each pair once: the best arm of a contest and its rivals, arms and their baselines.

    And the random method under each schedule against the informed method, under the same schedule
    and under the baseline. Arms with a replicate that diverged are in none.
    """
    found: dict[frozenset[str], Pair] = {}
    for first, second in _arms(report):
        key = frozenset((_name(first), _name(second)))
        if len(key) == 2 and key not in found and not (first.diverged or second.diverged):
            value = paired(last_test(first), last_test(second), report.settings.confidence)
            verdict = report.verdict(value)
            found[key] = Pair(_name(first), _name(second), value, verdict)
    return list(found.values())


def _arms(report: Report) -> Iterator[tuple[ArmResult, ArmResult]]:
    arms = report.results.arms
    for cell in report.cells:
        for rival in cell.contest.margins:
            yield arms[cell.method, cell.contest.best], arms[cell.method, rival]
    for arm in arms.values():
        yield arm, report.baseline_of(arm)
    settings = report.settings
    for schedule in report.results.schedules:
        ours = arms[settings.random, schedule]
        yield ours, arms[settings.informed, schedule]
        yield ours, arms[settings.informed, settings.baseline]


def _name(arm: ArmResult) -> str:
    return f"{arm.method}-{arm.schedule}"
