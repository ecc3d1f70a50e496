"""What a claim is made of: parts, the paired differences they rest on, and the verdicts."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stages.reporting.claims.roles import Line, Roles, gap, shared
from stages.reporting.report import Report
from stages.reporting.words import code
from stages.results.records import ArmResult
from stages.statistics.estimates import Estimate
from stages.statistics.verdicts import Verdict as Pairwise

Verdict = Literal["holds", "does not hold", "cannot be decided"]
Relation = Callable[[Pairwise], Verdict]
"""What a claim says of a difference, given whether it is better, same, worse or undecided."""
SAME_CURVES = "at every budget that both have, their curves are the same"


@dataclass(frozen=True)
class Evidence:
    """A paired difference in points, the budgets it is averaged over, and what it says.

    `repeat_chance` is that of a study of as many new replicates saying the same. `diverged` names
    the arms that did, for which there is no difference.
    """

    what: str
    epochs: Sequence[float]
    difference: Estimate
    verdict: Verdict
    repeat_chance: float
    diverged: Sequence[str] = ()


@dataclass(frozen=True)
class Part:
    """A part of a claim, its evidence or why there is none, and what must be shown beside it."""

    text: str
    evidence: Sequence[Evidence] = ()
    missing: str = ""
    beside: Sequence[Evidence] = ()

    @property
    def verdict(self) -> Verdict:
        """What all the evidence together says."""
        return together(item.verdict for item in self.evidence)


@dataclass(frozen=True)
class Claim:
    """A claim of the literature and its parts."""

    text: str
    parts: Sequence[Part]

    @property
    def verdict(self) -> Verdict:
        """What all the parts together say."""
        return together(part.verdict for part in self.parts)


@dataclass(frozen=True)
class Judge:
    """A report and the roles of its arms by pruning method, to judge differences between them."""

    report: Report
    roles: Mapping[str, Roles]

    @property
    def informed(self) -> Roles:
        """The roles under the informed method, on which most claims are judged."""
        return self.roles[self.report.settings.informed]

    @property
    def random(self) -> Roles | None:
        """The roles under the random method; None without a second method."""
        settings = self.report.settings
        return None if settings.random == settings.informed else self.roles[settings.random]

    @property
    def confidence(self) -> float:
        """The level of the intervals, each by itself."""
        return self.report.settings.confidence

    def evidence(
        self,
        what: str,
        epochs: Sequence[float],
        value: Estimate,
        relation: Relation,
        arms: Iterable[ArmResult],
    ) -> Evidence:
        """Judge a difference between `arms`."""
        gone = [f"{code(arm.schedule)} on {code(arm.method)}" for arm in arms if arm.diverged]
        said, chances = relation(self.report.verdict(value)), self.report.repeat(value)
        again = sum(chance for found, chance in chances.items() if relation(found) == said)
        return Evidence(what, epochs, value, said, again, gone)

    def gap(
        self, first: Line, second: Line, epochs: Sequence[float], relation: Relation, what: str = ""
    ) -> Evidence:
        """Judge `first` - `second` over these budgets; `what` names it where names alone do not."""
        value = gap(first, second, epochs, self.confidence)
        what = what or f"{code(first.name)} − {code(second.name)}"
        arms = [line.arms[number] for line in (first, second) for number in epochs]
        return self.evidence(what, epochs, value, relation, arms)

    def gap_on(
        self, method: str, first: Line, second: Line, epochs: Sequence[float], relation: Relation
    ) -> Evidence:
        """Judge `first` - `second` under another method than the informed one."""
        what = f"{code(first.name)} − {code(second.name)} on {code(method)}"
        return self.gap(first, second, epochs, relation, what)

    def part(
        self, text: str, pairs: Sequence[tuple[Line, Line]], relation: Relation, missing: str
    ) -> Part:
        """Judge every pair over all budgets where they differ; `missing` is why there is none."""
        found = [
            self.gap(first, second, epochs, relation)
            for first, second in pairs
            if (epochs := shared(first, second))
        ]
        return Part(text, found, "" if found else SAME_CURVES if pairs else missing)


def above(found: Pairwise) -> Verdict:
    """The difference is above 0, and not too small to matter."""
    return _decided(found == "better", found in ("same", "worse"))


def below(found: Pairwise) -> Verdict:
    """The difference is below 0, and not too small to matter."""
    return _decided(found == "worse", found in ("same", "better"))


def no_gain(found: Pairwise) -> Verdict:
    """The difference is below 0 or too small to matter."""
    return _decided(found in ("same", "worse"), found == "better")


def nonzero(found: Pairwise) -> Verdict:
    """The difference is not 0, and not too small to matter."""
    return _decided(found in ("better", "worse"), found == "same")


def together(verdicts: Iterable[Verdict]) -> Verdict:
    """Return "holds" where all do, "does not hold" where one does not."""
    found = set(verdicts)
    return _decided(found == {"holds"}, "does not hold" in found)


def _decided(holds: bool, fails: bool) -> Verdict:
    return "holds" if holds else "does not hold" if fails else "cannot be decided"
