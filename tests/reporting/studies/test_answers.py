"""What all studies say together."""

from stages.reporting.studies import criterion, leads
from stages.reporting.studies.answers import Answers
from tests.reporting.studies.conftest import ROLES, other

SLOW = [0.91, 0.912, 0.911, 0.913] * 2


def above(*points):
    return [round(v + p / 100, 4) for v, p in zip(SLOW, points * 2, strict=True)]


def test_each_question_has_its_answer(read_study):
    arms = {
        ("l1", "finetune"): SLOW,
        ("l1", "tuned"): above(3, 3.1, 2.9, 3),
        ("l1", "onecycle"): above(4, 4.1, 3.9, 4),
    }
    arms |= {("random", role): [v - 0.01 for v in values] for (_, role), values in arms.items()}
    entries = {role: ROLES[role] for role in ("finetune", "tuned", "onecycle")}
    studies = [read_study("one", arms, entries=entries)]
    lower = {("l1", "finetune"): SLOW, ("l1", "onecycle"): above(2, 2.1, 1.9, 2)}
    fewer = {role: ROLES[role] for role in ("finetune", "onecycle")}
    studies.append(read_study("two", lower, entries=fewer, **other()))
    head, _, items = Answers(studies).said.partition("\n\n")
    assert head == "2 studies of 2 sets of dense networks: resnet8 on digits (2)."
    first, second, third, fourth, fifth = items.splitlines()
    assert first.startswith("- **Which schedule wins, and how often?** Of 3 contests (one pruning")
    assert "`onecycle` wins 3; of the 2 among three schedules or more, `onecycle` wins 2." in first
    assert second.startswith("- **By how much?** One-cycle **beats** fine-tuning by +3.00 [")
    assert "] (2 sets: +2.00 to +4.00) and the best other constant rate by +1.00 (1 set)" in second
    assert "; points with 95 % intervals for new seeds of these networks" in second
    assert "**No reversal is shown.**" in third
    assert "ahead of fine-tuning in 3 of 3 cases (86 %" in third
    assert fourth.endswith(
        "75 % of one-cycle's gain over fine-tuning [75 % to 75 %]. Others may capture more."
    )
    assert "`l1` minus random pruning, in points: +1.00" in fifth


def test_rivals_are_told_by_what_is_known_of_them(read_study):
    gains = {"onecycle": (4,) * 4, "tuned": (3.9,) * 4, "lr_rewind": (9, 4, 0, 2)}
    arms = {("l1", "finetune"): SLOW}
    arms |= {("l1", role): above(*points) for role, points in gains.items()}
    entries = {role: ROLES[role] for _, role in arms}
    said = Answers([read_study("one", arms, entries=entries)]).said
    assert "**beats** fine-tuning by +4.00 (1 set); " in said
    assert "**is the same as** the best other constant rate at +0.10" in said
    assert "**is open against** learning-rate rewinding at +1.00 [" in said


def test_what_no_study_asks_is_said(read_study):
    arms = {("l1", "cosine"): SLOW, ("l1", "linear"): SLOW}
    said = Answers([read_study("one", arms)]).said
    assert said.startswith("One study of 1 set of dense networks: resnet8 on digits.")
    assert "**By how much?** No study has one-cycle and a rival of equal epochs." in said
    assert leads.NOTHING in said
    assert criterion.NOTHING in said
