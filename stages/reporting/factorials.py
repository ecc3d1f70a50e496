"""The arms of `compare.factorial` under one method, and the contrasts of them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from stages.pipeline.fault import Fault
from stages.reporting.crossing import keys_in
from stages.reporting.design import Design, design_of
from stages.reporting.keys import value_of
from stages.reporting.measures import last_test
from stages.reporting.report import Report
from stages.reporting.settings import Compare
from stages.statistics.factorial import Contrast, contrasts
from stages.statistics.verdicts import Levels, Verdict, verdict


@dataclass(frozen=True)
class Judged:
    """A contrast of arms in points, the keys that it is about, and the verdict on it."""

    keys: Sequence[str]
    contrast: Contrast
    verdict: Verdict

    @property
    def main(self) -> bool:
        """Whether it is the effect of one key."""
        return len(self.keys) == 1

    @property
    def decided(self) -> bool:
        """Whether it is better or worse by the rule."""
        return self.verdict in ("better", "worse")


@dataclass(frozen=True)
class Factorial:
    """One method's arms of `compare.factorial`, and the contrasts of them, in points.

    `settings` are those by which they are judged, `values` what the keys are at their low and
    their high level. `diverged` are the arms that did: no contrast is known then, as each has all
    arms in it. `others` are the methods after which the arms are no full cross.
    """

    method: str
    design: Design
    values: Sequence[tuple[str, str]]
    contrasts: Sequence[Judged]
    settings: Compare
    diverged: Sequence[str]
    others: Sequence[str] = ()

    @property
    def effects(self) -> list[Judged]:
        """Main effects and interactions."""
        return [each for each in self.contrasts if not each.contrast.exchange]

    @property
    def exchanges(self) -> list[Judged]:
        """One key's change in place of another's."""
        return [each for each in self.contrasts if each.contrast.exchange]


def factorials_of(report: Report) -> list[Factorial]:
    """Return the factorial of the arms in `compare.factorial` of each method that has one.

    What a budget comes to depends on a method's rounds, so that the arms may be a full cross after
    one method and none after another.
    Contrasts are of last-epoch test accuracy, by seed. Verdicts are those of the one rule at levels
    that hold together, by Bonferroni, as the intervals do.
    """
    designs: dict[str, Design] = {}
    for method in report.results.methods:
        with suppress(Fault):
            arms = (report.results.arms[method, name] for name in report.settings.factorial)
            designs[method] = design_of({arm.schedule: keys_in(report, arm) for arm in arms})
    others = [method for method in report.results.methods if method not in designs]
    return [_factorial(report, method, design, others) for method, design in designs.items()]


def _factorial(report: Report, method: str, design: Design, others: Sequence[str]) -> Factorial:
    arms = {name: report.results.arms[method, name] for name in report.settings.factorial}
    scores = np.array([last_test(arm).sort_index() for arm in arms.values()]).T
    levels = np.array([design.levels[name] for name in arms])
    found = contrasts(scores, levels, report.settings.confidence)
    return Factorial(
        method,
        design,
        [_values(report, design, key) for key in design.factors],
        [_judged(report, design, each, len(found)) for each in found],
        report.settings,
        [name for name, arm in arms.items() if arm.diverged],
        others,
    )


def _values(report: Report, design: Design, key: str) -> tuple[str, str]:
    low, high = (report.schedules[name] for name in (design.arm(), design.arm(key)))
    return value_of(low, [key]), value_of(high, [key])


def _judged(report: Report, design: Design, each: Contrast, number: int) -> Judged:
    """Judge one of so many contrasts that are judged together."""
    levels = Levels(report.levels.difference / number, report.levels.equivalence / number)
    said = verdict(each.difference, report.settings.margin, levels)
    return Judged([design.factors[at] for at in each.factors], each, said)
