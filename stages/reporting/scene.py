"""What a claim is made of, and a study as the claims see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.params.compare import Compare
from stages.reporting.cast import Cast, Line, cast, gap, shared
from stages.reporting.markdown import code
from stages.reporting.results import Study
from stages.reporting.statistics import Estimate
from stages.reporting.verdicts import Relation, Verdict, together

SAME_CURVES = "at every budget that both have, their curves are the same"


@dataclass(frozen=True)
class Evidence:
    """A paired difference in points, the budgets it is averaged over, and what it says."""

    what: str
    epochs: Sequence[int]
    difference: Estimate
    verdict: Verdict


@dataclass(frozen=True)
class Statement:
    """A part of a claim, its evidence or why there is none, and what must be seen beside it."""

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
    statements: Sequence[Statement]

    @property
    def verdict(self) -> Verdict:
        """What all the statements together say."""
        return together(statement.verdict for statement in self.statements)


@dataclass(frozen=True)
class Scene:
    """A study and the parts that its arms play, by pruning method."""

    study: Study
    settings: Compare
    casts: Mapping[str, Cast]

    @property
    def careful(self) -> Cast:
        """The cast of the method that chooses with care, on which most claims are judged."""
        return self.casts[self.settings.careful]

    @property
    def random(self) -> Cast | None:
        """The cast of the method that draws; None without a second method."""
        name = self.settings.random
        return None if name == self.settings.careful else self.casts[name]

    def judge(
        self, what: str, epochs: Sequence[int], value: Estimate, relation: Relation
    ) -> Evidence:
        """Judge a difference."""
        return Evidence(what, epochs, value, relation(value, self.settings.margin))

    def gap(
        self, first: Line, second: Line, epochs: Sequence[int], relation: Relation, on: str = ""
    ) -> Evidence:
        """Judge `first` - `second` of one method, `on` which it is where it is not the careful."""
        value = gap(first, second, epochs, self.settings.confidence)
        what = f"{code(first.name)} − {code(second.name)}"
        return self.judge(f"{what} on {code(on)}" if on else what, epochs, value, relation)

    def statement(
        self, text: str, pairs: Sequence[tuple[Line, Line]], relation: Relation, missing: str
    ) -> Statement:
        """Judge every pair over all budgets where they differ; `missing` is said of no pairs."""
        found = [
            self.gap(first, second, epochs, relation)
            for first, second in pairs
            if (epochs := shared(first, second))
        ]
        return Statement(text, found, "" if found else SAME_CURVES if pairs else missing)


def scene(study: Study, settings: Compare, lines: Mapping[str, Sequence[str]]) -> Scene:
    """Give every method's arms their parts; `lines` joins schedules that differ in budget alone."""
    return Scene(study, settings, {name: cast(study, name, lines) for name in study.methods})
