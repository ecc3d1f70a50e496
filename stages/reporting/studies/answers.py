"""What all studies say together, as answers to the questions that one study leaves open."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from stages.reporting.studies import criterion, leads, tuning, wins
from stages.reporting.studies.contrasts import by_set, families, in_points, named, together
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.roles import NAMES, Case, cases
from stages.reporting.words import count, level, listed
from stages.statistics.studies import Aggregate
from stages.statistics.verdicts import Verdict

TITLE = "What they say together"
VERBS: Mapping[Verdict, tuple[str, str]] = {
    "better": ("beats", "by"),
    "same": ("is the same as", "at"),
    "worse": ("is behind", "at"),
    "undecided": ("is open against", "at"),
}
"""What one-cycle does to a rival, and what comes before the points."""


@dataclass(frozen=True)
class Answers:
    """All studies, and what their answers rest on."""

    studies: Sequence[Kept]

    @property
    def confidence(self) -> float:
        """The level of what they say together: the strictest of any study, at its look."""
        return max(1 - study.levels.difference for study in self.studies)

    @property
    def margin(self) -> float:
        """Points within which what they say together is no difference: the least of any study."""
        return min(study.compare.margin for study in self.studies)

    @cached_property
    def cases(self) -> Sequence[Case]:
        """All pruning methods and budgets of all studies."""
        return cases(self.studies)

    @cached_property
    def leads(self) -> leads.Leads:
        """One-cycle minus its rivals, case by case."""
        return leads.leads(self.cases)

    @cached_property
    def shares(self) -> Sequence[tuning.Share]:
        """What tuning the constant rate captures."""
        return tuning.shares(self.cases, self.confidence)

    @cached_property
    def gains(self) -> criterion.Gains:
        """What criteria gain over random pruning."""
        return criterion.gains(self.cases)

    @cached_property
    def said(self) -> str:
        """One item for each question, and what the numbers rest on."""
        return text(self)


def text(found: Answers) -> str:
    """One item for each question, and what the numbers rest on."""
    answers = {
        "Which schedule wins, and how often?": wins.summary(found.studies),
        "By how much?": _by_how_much(found),
        "Where does the order reverse?": leads.summary(found.leads),
        "What does another constant rate capture?": tuning.summary(found.shares),
        "Does the criterion matter once the schedule is right?": criterion.summary(
            found.gains, found.confidence, found.margin
        ),
    }
    head = _scope(found.studies)
    items = "\n".join(f"- **{question}** {answer}" for question, answer in answers.items())
    return f"{head}\n\n{items}"


def _scope(studies: Sequence[Kept]) -> str:
    """Say what is joined: how many studies, of which networks and data."""
    kinds = Counter(named(one) for one, *_ in families(studies))
    sets = listed([f"{name} ({number})" if number > 1 else name for name, number in kinds.items()])
    total = f"{len(studies)} studies" if len(studies) > 1 else "One study"
    return f"{total} of {count(kinds.total(), 'set')} of dense networks: {sets}."


def _by_how_much(found: Answers) -> str:
    """Say what one-cycle gains over each rival, every set of dense networks counting the same."""
    by_rival = found.leads.by_rival
    joined = {r: together(each, found.confidence, found.margin) for r, each in by_rival.items()}
    if not joined:
        return "No study has one-cycle and a rival of equal epochs."
    said = []
    for verdict, (verb, word) in VERBS.items():
        alike = {rival: value for rival, value in joined.items() if value.verdict == verdict}
        each = [
            f"{NAMES[r]} {word} {in_points(value)} {_sets(value)}" for r, value in alike.items()
        ]
        said += [f"**{verb}** {listed(each)}"] if each else []
    how = (
        f"points with {level(found.confidence)} intervals for new seeds of these networks and data"
    )
    return f"One-cycle {'; '.join(said)}; {how}, others may differ more."


def _sets(value: Aggregate) -> str:
    """Say how many sets of dense networks a difference is of, and how far they lie apart."""
    sets = count(len(value.by_study), "set")
    return f"({sets}: {by_set(value)})" if len(value.by_study) > 1 else f"({sets})"
