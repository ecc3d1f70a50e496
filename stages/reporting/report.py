"""What every section is computed from, and what a section is."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar

import pandas as pd
from matplotlib.figure import Figure

from stages.dense.settings import Train
from stages.pipeline.fault import Fault
from stages.reporting.lines import is_plain, lines_of, technique
from stages.reporting.looks import Look, look_at
from stages.reporting.measures import correct, dense_test, last_test
from stages.reporting.settings import Compare
from stages.results.files import Results
from stages.results.records import ArmResult
from stages.statistics.contests import Contest, contest
from stages.statistics.estimates import Estimate, paired
from stages.statistics.images import TwoLevel, two_level
from stages.statistics.power import repeat
from stages.statistics.verdicts import Levels, Verdict, verdict

F = TypeVar("F")


@dataclass(frozen=True)
class Cell:
    """The contest among one method's arms of one budget."""

    method: str
    epochs: float
    contest: Contest


@dataclass(frozen=True)
class Report:
    """The results of a study and how to compare them; a Fault when `settings` names no arm of it.

    `schedules` are the entries of params.yaml, by name, and `pruning` those of the methods. At a
    `look` of a study that grows, `settings.confidence` is that of this look (see `report_of`).
    `dense_peak` is the dense run's largest learning rate, None where that is not known.
    """

    results: Results
    settings: Compare
    schedules: Mapping[str, Mapping[str, Any]]
    look: Look | None = None
    dense_peak: float | None = None
    pruning: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {"methods": self.results.methods, "schedules": self.results.schedules}
        for key, name, kind in (
            ("baseline", self.settings.baseline, "schedules"),
            ("informed", self.settings.informed, "methods"),
            ("random", self.settings.random, "methods"),
            *(("path", name, "schedules") for name in self.settings.path),
            *(("factorial", name, "schedules") for name in self.settings.factorial),
        ):
            if name not in known[kind]:
                raise Fault(f"compare.{key}: {name!r} is none of {', '.join(known[kind])}")

    @cached_property
    def lines(self) -> dict[str, list[str]]:
        """The schedules by label, those that differ in budget alone under one."""
        return lines_of(self.schedules)

    def is_plain(self, schedule: str) -> bool:
        """Whether it leaves the training itself as it is: arms that do not are no paper's.

        Nor are those that have the dense run's learning rates in proportion to another peak.
        """
        return is_plain(self.schedules[schedule], schedule)

    def technique(self, schedule: str) -> dict[str, Any]:
        """What an arm changes of the training itself: its keys that are not at their defaults."""
        return technique(self.schedules[schedule], schedule)

    @property
    def has_budgets(self) -> bool:
        """Whether some schedule was run with several budgets."""
        return any(len(names) > 1 for names in self.lines.values())

    @property
    def baseline(self) -> str:
        """The label of the baseline arm's line."""
        return next(line for line, names in self.lines.items() if self.settings.baseline in names)

    @property
    def representatives(self) -> list[str]:
        """Of each line the schedule whose budget is nearest to the baseline arm's."""
        method = self.results.methods[0]
        epochs = {name: self.results.arms[method, name].epochs for name in self.results.schedules}
        budget = epochs[self.settings.baseline]
        return [min(names, key=lambda n: abs(epochs[n] - budget)) for names in self.lines.values()]

    @property
    def levels(self) -> Levels:
        """How often a verdict may be wrong."""
        error = 1 - self.settings.confidence
        return self.look.levels if self.look else Levels(error, error)

    @property
    def last_levels(self) -> Levels:
        """The levels by which the study is judged when it ends: those of its last look."""
        return self.look.last if self.look else self.levels

    def verdict(self, difference: Estimate) -> Verdict:
        """Judge a paired difference by the one rule: better, same, worse or undecided."""
        return verdict(difference, self.settings.margin, self.levels)

    def repeats(self, difference: Estimate) -> float:
        """The chance that as many new replicates give the same verdict."""
        return self.repeat(difference)[self.verdict(difference)]

    def repeat(self, difference: Estimate) -> dict[Verdict, float]:
        """The chances of each verdict in a study of as many new replicates."""
        return repeat(difference, self.settings.margin, self.levels)

    @cached_property
    def cells(self) -> list[Cell]:
        """One contest per method and budget, shortest budget first: no two budgets ever meet.

        The rule: an arm wins when its paired difference to every other arm has an interval above 0.
        Arms that do the same compete once. An arm with a replicate that diverged takes no part;
        where nothing else is left, there is no contest.
        """
        return [
            Cell(method, epochs, self.contest([arm for arm in arms if arm.epochs == epochs]))
            for method in self.results.methods
            if (arms := [arm for arm in self.results.of(method) if not arm.diverged])
            for epochs in sorted({arm.epochs for arm in arms})
        ]

    @property
    def diverged(self) -> list[ArmResult]:
        """The arms of which some replicate diverged."""
        return [arm for arm in self.results.arms.values() if arm.diverged]

    def winners(self, method: str) -> set[str]:
        """The schedules that win one of a method's contests."""
        contests = [cell.contest for cell in self.cells if cell.method == method]
        won = [(each, each.winner) for each in contests if each.winner]
        return {name for each, winner in won for name in (winner, *each.twins.get(winner, ()))}

    def baseline_of(self, arm: ArmResult) -> ArmResult:
        """What an arm is compared with: the baseline's line at its budget, or the baseline arm."""
        names = [*self.lines[self.baseline], self.settings.baseline]
        rivals = [self.results.arms[arm.method, name] for name in names]
        return next((rival for rival in rivals if rival.epochs == arm.epochs), rivals[-1])

    def to_baseline(self, arm: ArmResult) -> Estimate | None:
        """An arm's test accuracy minus its baseline's, paired by seed; None for the baseline."""
        baseline = self.baseline_of(arm)
        return None if baseline is arm else self.gap(arm, baseline)

    def gap(self, first: ArmResult, second: ArmResult) -> Estimate:
        """`first` - `second` in test accuracy, in points, paired by seed."""
        return paired(last_test(first), last_test(second), self.settings.confidence)

    def for_new_images(self, first: ArmResult, second: ArmResult) -> TwoLevel | None:
        """`first` - `second`, with an interval for new seeds and new images; None if unknown."""
        ours, theirs = correct(first), correct(second)
        if ours is None or theirs is None or first.seeds != second.seeds:
            return None
        found = two_level(ours, theirs, self.settings.confidence)
        return None if math.isnan(found.low) else found

    def to_dense(self, arm: ArmResult) -> Estimate:
        """An arm's test accuracy minus the dense network's, paired by seed, in points."""
        return paired(last_test(arm), dense_test(self.results.dense), self.settings.confidence)

    def contest(self, arms: Sequence[ArmResult]) -> Contest:
        """Hold the arms of one method and budget against each other."""
        alike: dict[object, list[str]] = {}
        for arm in arms:
            technique = self.technique(arm.schedule)
            if arm.rounds == 1:
                technique.pop("restart", None)  # of one round there is nothing to restart
            keys = json.dumps(technique, sort_keys=True)
            alike.setdefault((arm.start, arm.points, keys), []).append(arm.schedule)
        scores = {arm.schedule: last_test(arm) for arm in arms}
        return contest(scores, self.settings.confidence, alike.values())


def report_of(
    results: Results,
    settings: Compare,
    schedules: Mapping[str, Mapping[str, Any]],
    train: Train | None = None,
    pruning: Mapping[str, Mapping[str, Any]] | None = None,
) -> Report:
    """Return the report of a study, judged at the look of its replicates where looks are planned.

    All intervals and verdicts have that look's levels, so that page, tables and commands agree.
    `train` says what the dense run's largest learning rate was.
    """
    look = look_at(settings, min(len(arm.seeds) for arm in results.arms.values()))
    if look:
        settings = settings.model_copy(update={"confidence": 1 - look.levels.difference})
    steps = next(iter(results.arms.values())).steps_per_epoch
    peak = train.rates(steps).max if train else None
    return Report(results, settings, schedules, look, peak, pruning or {})


@dataclass(frozen=True)
class Section(Generic[F]):
    """One topic of the report; `name` names its tables/<name>.csv and figures/<name>.svg.

    `find` computes what the others show, None when there is nothing to show. `text` is Markdown
    below the figure, whose caption it opens with; without `text` the section is its files alone.
    """

    name: str
    title: str
    find: Callable[[Report], F | None]
    text: Callable[[F], str] | None = None
    table: Callable[[F], pd.DataFrame] | None = None
    figure: Callable[[F], Figure] | None = None
