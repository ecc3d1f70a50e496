"""What all studies say together, as answers to the questions that one study leaves open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from stages.reporting.studies import criterion, leads, tuning, wins
from stages.reporting.studies.contrasts import Contrast, families, in_points, named, together
from stages.reporting.studies.kept import Kept
from stages.reporting.studies.roles import NAMES
from stages.reporting.words import count, level, listed
from stages.statistics.studies import Aggregate
from stages.statistics.verdicts import Verdict

TITLE = "What they say together"
VERBS: Mapping[Verdict, tuple[str, str]] = {
    "better": ("beats", "by"),
    "same": ("is the same as", "to within the margin:"),
    "worse": ("loses to", "by"),
    "undecided": ("is open against", "at"),
}
"""What one-cycle does to a rival, and what comes before the points."""


@dataclass(frozen=True)
class Answers:
    """All studies, and what their answers rest on."""

    studies: Sequence[Kept]

    @property
    def confidence(self) -> float:
        """The level of what they say together: the strictest of any study."""
        return max(study.compare.confidence for study in self.studies)

    @property
    def margin(self) -> float:
        """Points within which what they say together is no difference: the least of any study."""
        return min(study.compare.margin for study in self.studies)

    def joined(self, cases: Sequence[Contrast]) -> Aggregate:
        """What contrasts of several studies say together."""
        return together(cases, self.confidence, self.margin)

    @cached_property
    def leads(self) -> leads.Leads:
        """One-cycle minus its rivals, case by case."""
        return leads.leads(self.studies)

    @cached_property
    def shares(self) -> Sequence[tuning.Share]:
        """What tuning the constant rate captures."""
        return tuning.shares(self.studies, self.confidence)

    @cached_property
    def gains(self) -> criterion.Gains:
        """What criteria gain over random pruning."""
        return criterion.gains(self.studies)


def text(found: Answers) -> str:
    """One item for each question, and what the numbers rest on."""
    answers = {
        "Which schedule wins, and how often?": wins.summary(found.studies),
        "By how much?": _by_how_much(found),
        "Where does the order reverse?": leads.summary(found.leads),
        "What does tuning the constant rate capture?": tuning.summary(found.shares),
        "Does the criterion matter once the schedule is right?": criterion.summary(
            found.gains, found.confidence, found.margin
        ),
    }
    head = _scope(found.studies)
    items = "\n".join(f"- **{question}** {answer}" for question, answer in answers.items())
    return f"{head}\n\n{items}"


def _scope(studies: Sequence[Kept]) -> str:
    """Say what is joined: how many studies, of which data and networks."""
    sets = families(studies)
    kinds = "; ".join(named(one) for one, *_ in sets)
    total = f"{len(studies)} studies" if len(studies) > 1 else "One study"
    return f"{total} of {count(len(sets), 'set')} of dense networks ({kinds})."


def _by_how_much(found: Answers) -> str:
    """Say what one-cycle gains over each rival, every set of dense networks counting the same."""
    joined = {rival: found.joined(cases) for rival, cases in found.leads.items()}
    if not joined:
        return "No study has one-cycle and a rival of equal epochs."
    said = []
    for verdict, (verb, word) in VERBS.items():
        alike = {rival: value for rival, value in joined.items() if value.verdict == verdict}
        if alike:
            each = [f"{NAMES[r]} {word} {in_points(value)}" for r, value in alike.items()]
            said.append(f"**{verb}** {listed(each)}")
    sure = level(found.confidence)
    return (
        f"One-cycle to the dense run's peak {'; '.join(said)} "
        f"(points; means over the sets, {sure} intervals)."
    )
