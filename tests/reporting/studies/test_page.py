"""The page of several studies, against numbers worked out by hand."""

import re
from dataclasses import replace

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.reporting.studies import claims, criterion, leads, meetings, tuning, wins
from stages.reporting.studies.answers import Answers
from stages.reporting.studies.page import page
from stages.reporting.studies.roles import cases
from tests.reporting.helpers import diverge
from tests.reporting.studies.conftest import ROLES, other

LOW = [0.91, 0.912, 0.911, 0.913]
HIGH = [0.95, 0.951, 0.952, 0.953]
WIDE = [0.9402, 0.9608, 0.9421, 0.9601]
CLOSE = [0.913, 0.920, 0.923, 0.930]


def cells(text, first):
    """Return the cells of the table row that begins with `first`."""
    [row] = [line for line in text.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.fixture
def studies(read_study):
    """Two of other dense networks: `onecycle` wins in `one`; in `two` it is ahead by chance."""
    return [
        read_study("one", {("l1", "finetune"): LOW, ("l1", "onecycle"): HIGH}),
        read_study("two", {("l1", "finetune"): HIGH, ("l1", "onecycle"): WIDE}, **other()),
    ]


def test_claims_stand_study_by_study(studies):
    found = claims.text(studies)
    # claims 1, 2 and 5 have parts that two arms cannot tell; 3 and 4 take two methods
    first = found[: found.index("###")]
    undecided = "cannot be decided"
    assert cells(first, "`one`")[1:] == [undecided, undecided, "–", "–", undecided]
    part = found[found.index("The large learning rate is ahead") :]
    assert "shortest budget: **holds** in 1, **cannot be decided** in 1 of 2." in part
    assert cells(part, "`one`") == [
        "`one`", "`onecycle − finetune`", "72", "+4.00 [+3.87, +4.13]", "4", "1.00", "holds"
    ]  # fmt: skip
    assert cells(part, "`two`")[-1] == "cannot be decided"
    assert "### 3. Random pruning with a large" in found
    assert "No study has the arms for it." in found


def test_a_claim_that_all_parts_of_hold_holds(read_study):
    arms = {("l1", "finetune"): LOW, ("random", "finetune"): LOW}
    arms |= {("l1", "onecycle"): HIGH, ("random", "onecycle"): CLOSE}
    found = claims.text([read_study("one", arms)])
    assert cells(found[: found.index("###")], "`one`")[3:5] == ["holds", "holds"]
    chances = [row.split("|")[6].strip() for row in found.splitlines() if "on random" in row]
    assert 0.5 < float(chances[0]) < 0.8


def test_wins_are_counted_over_all_contests(studies):
    assert wins.summary(studies) == (
        "Of 2 contests (one pruning method, one budget, several schedules), `onecycle` wins 1 and "
        "no schedule wins 1."
    )
    found = wins.text(studies)
    assert cells(found, "`onecycle`")[1:] == ["2", "2", "1", "1", "2"]
    assert cells(found, "`finetune`")[1:] == ["2", "2", "0", "1", "1"]
    assert "other settings" not in found


def test_a_contest_that_is_part_of_a_larger_one_is_not_counted_again(read_study):
    """Also one of fewer replicates; one of another budget or of other networks is its own."""
    large = {("l1", "finetune"): LOW, ("l1", "scaled"): CLOSE, ("l1", "onecycle"): HIGH}
    small = {arm: large[arm][:3] for arm in (("l1", "finetune"), ("l1", "onecycle"))}
    studies = [read_study("large", large), read_study("small", small)]
    assert (
        wins.summary(studies)
        == "Of 1 contest (one pruning method, one budget, several schedules), `onecycle` wins 1."
    )
    assert wins.summary(studies[::-1]) == wins.summary(studies)
    twice = read_study("twice", small, {"finetune": 9, "onecycle": 9})
    elsewhere = read_study("elsewhere", small, **other())
    assert wins.summary([*studies, twice, elsewhere]) == (
        "Of 3 contests (one pruning method, one budget, several schedules), `onecycle` wins 3; of "
        "the 1 among three schedules or more, "
        "`onecycle` wins 1."
    )


def test_arms_that_diverged_and_lone_arms_are_in_no_contest(read_study):
    gone = lambda reports: diverge(reports, "l1", "scaled", [0])  # noqa: E731
    arms = {("l1", "finetune"): LOW, ("l1", "scaled"): HIGH, ("l1", "onecycle"): WIDE}
    budgets = {"finetune": 9, "scaled": 9, "onecycle": 20}
    study = read_study("one", arms, budgets, diverging=gone)
    assert wins.entries(study).empty
    assert wins.summary([study]) == "No study has two curves of equal epochs."
    assert "No study has two" in page(Answers([study]), [])


def test_arms_of_one_curve_are_no_contest_of_schedules(read_study):
    arms = {("l1", "onecycle"): LOW, ("l1", "onecycle_low_peak"): HIGH, ("l1", "finetune"): WIDE}
    budgets = {"onecycle": 9, "onecycle_low_peak": 9, "finetune": 20}
    together = dict.fromkeys(budgets, 9)
    none, two = (read_study(n, arms, b) for n, b in (("one", budgets), ("two", together)))
    assert wins.entries(none).empty
    assert [*wins.entries(two).schedule] == ["onecycle", "onecycle_low_peak", "finetune"]
    assert cells(wins.text([none, two]), "`onecycle`")[1:3] == ["1", "1"]  # whole numbers


def test_a_name_of_several_settings_is_told(read_study):
    arms = {("l1", "finetune"): LOW, ("l1", "onecycle"): HIGH}
    lower = ROLES | {"onecycle": {"curve": "onecycle", "max_lr": 0.05}}
    lower = {name: lower[name] for name in ("finetune", "onecycle")}
    found = wins.text([read_study("one", arms), read_study("two", arms, entries=lower)])
    assert "`onecycle` has other settings in `two`." in found
    assert "`finetune` has other" not in found


def test_schedules_meet_over_independent_studies(studies):
    [found] = meetings.meetings(cases(studies), 0.95, 0.5)
    gaps = [100 * np.subtract(HIGH, LOW), 100 * np.subtract(WIDE, HIGH)]
    each = [np.sort(gap)[1:3].mean() for gap in gaps]
    assert (found.first, found.second, found.studies, found.runs) == ("onecycle", "finetune", 2, 8)
    assert found.found.difference == pytest.approx(np.mean(each), abs=0.002)
    assert found.found.by_study == pytest.approx(each, abs=0.002)
    # 16 of 16 pairs of runs in `one`; in `two` 2 of 4 of WIDE are above all of HIGH
    assert found.found.improvement == pytest.approx((1 + 0.5) / 2)
    assert found.found.verdict == "undecided"
    page = meetings.text(cases(studies), 0.95, 0.5)
    assert "| open |" in page
    assert "| −0.13 to +4.00 |" in page


def test_studies_of_the_same_dense_networks_count_as_one(read_study):
    arms = {("l1", "finetune"): LOW + LOW, ("l1", "onecycle"): HIGH + HIGH}
    both = [read_study(name, arms) for name in ("one", "two")]
    [found] = meetings.meetings(cases(both), 0.95, 0.5)
    assert (found.studies, found.runs) == (2, 8)
    assert found.found.difference == pytest.approx(4.0)
    assert found.found.verdict == "better"
    assert cells(meetings.text(cases(both), 0.95, 0.5), "`onecycle` − `finetune`")[4] == "–"
    assert "`one` and `two` train the same dense networks" in meetings.text(cases(both), 0.95, 0.5)


def test_runs_are_means_over_the_cells_that_are_complete(read_study):
    """`random` is left out where a replicate diverged, `l1` by itself gives 4 points."""
    gone = lambda reports: diverge(reports, "random", "onecycle", [1])  # noqa: E731
    arms = {("l1", "finetune"): LOW, ("random", "finetune"): HIGH}
    arms |= {("l1", "onecycle"): HIGH, ("random", "onecycle"): LOW}
    whole = [read_study(name, arms, **other(8 + seed)) for seed, name in enumerate(("one", "two"))]
    broken = [
        read_study(name, arms, diverging=gone, **other(8 + seed))
        for seed, name in enumerate(("three", "four"))
    ]
    assert meetings.meetings(cases(whole), 0.95, 0.5)[0].found.verdict == "same"
    assert meetings.meetings(cases(broken), 0.95, 0.5)[0].found.difference == pytest.approx(4.0)


def test_what_meets_once_is_not_joined(studies, read_study):
    alone = read_study("three", {("l1", "scaled"): LOW, ("l1", "linear"): HIGH})
    assert len(meetings.meetings(cases([*studies, alone]), 0.95, 0.5)) == 1
    assert "No two schedules meet" in meetings.text(cases([alone]), 0.95, 0.5)


def test_the_page_says_what_is_on_it_and_what_is_not(studies):
    found = page(Answers(studies), ["a.csv: missing"])
    assert "Left out:\n\n- a.csv: missing" in found
    assert "[one](one/README.md) | What `one` is | digits | resnet8 | `l1` |" in found
    headings = re.findall(r"^## (.+)$", found, re.MULTILINE)
    assert headings[:2] == ["What they say together", "The studies"]
    assert {wins.TITLE, meetings.TITLE, "Claims of the literature"} <= {*headings}
    assert {leads.TITLE, tuning.TITLE, criterion.TITLE} <= {*headings}
    assert page(Answers(studies), []) == page(Answers(studies), [])
    assert "There is no study to join." in page(Answers([]), ["a.csv: missing"])


def test_two_studies_of_one_name_are_a_fault(studies):
    again = replace(studies[1], name="one")
    with pytest.raises(Fault, match="two studies are called one; each takes a name of its own"):
        page(Answers([studies[0], again]), [])


def test_a_study_that_grows_has_the_intervals_of_its_look(studies):
    first, second = studies
    assert "intervals of its own level (95 %) and its own margin" in page(Answers(studies), [])
    looks = second.compare.model_copy(update={"looks": (4, 8)})
    grown = page(Answers([first, replace(second, compare=looks)]), [])
    assert "intervals of its own level (95 %, or of its look) and its own margin" in grown
