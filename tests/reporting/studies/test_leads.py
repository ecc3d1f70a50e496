"""Where one-cycle is ahead, where it is behind, and what changes that."""

from dataclasses import replace

import pytest

from stages.reporting.studies import changes, leads
from stages.reporting.studies.forms import method_form
from stages.reporting.studies.leads_figure import leads_figure
from stages.reporting.studies.roles import cases
from tests.reporting.helpers import diverge
from tests.reporting.studies.conftest import ROLES, other

SLOW = [0.91, 0.912, 0.911, 0.913]


def above(points, values=SLOW):
    """Values that lie this many points above others."""
    return [round(value + points / 100, 4) for value in values]


def found_in(*studies):
    return leads.leads(cases(studies))


@pytest.fixture
def case(read_study):
    """Return a function that invents a study: one-cycle's lead in points by method."""

    def invent(name, rival="finetune", **by_method):
        options = by_method.pop("options", {})
        arms = {(method, rival): SLOW for method in by_method}
        arms |= {(method, "onecycle"): above(lead) for method, lead in by_method.items()}
        entries = {role: ROLES[role] for role in (rival, "onecycle")}
        entries["finetune"] = ROLES["finetune"]
        arms |= {(method, "finetune"): SLOW for method in by_method}
        return read_study(name, arms, entries=entries, **options)

    return invent


def budgets(read_study, lead_short, lead_long, seeds=4):
    """A study of 8 and 40 epochs."""
    names = {"finetune": 8, "linear": 40, "onecycle": 8, "cosine": 40}
    arms = {("l1", name): SLOW for name in ("finetune", "linear")}
    arms |= {("l1", "onecycle"): above(lead_short), ("l1", "cosine"): above(lead_long)}
    entries = {
        name: ROLES[role] | {"epochs": names[name]}
        for name, role in zip(names, ["finetune"] * 2 + ["onecycle"] * 2, strict=True)
    }
    arms = {arm: values[:seeds] for arm, values in arms.items()}
    return read_study("budgets", arms, names, entries)


def test_it_is_ahead_the_same_or_behind(case):
    found = found_in(case("one", l1=4.0, random=0.1, fpgm=-3.0))
    said = leads.summary(found)
    assert said == (
        "**It does**: one-cycle is behind fine-tuning in `one` (`fpgm`, 86 % kept, 72 epochs) by "
        "3.00 points. Judged one by one, one-cycle is ahead of fine-tuning in 1 of 3 "
        "cases (1 the same and 1 behind; 86 % of the parameters, 45 % of the dense epochs)."
    )


def test_it_reverses_nowhere_where_all_is_known(case):
    said = leads.summary(found_in(case("one", l1=4.0, random=0.1)))
    assert said.startswith("**No reversal is shown.** Judged one by one, one-cycle is ")
    assert said.endswith(
        "in 1 of 2 cases (1 the same; 86 % of the parameters, 45 % of the dense epochs)."
    )


def test_what_is_behind_by_chance_is_not_shown(read_study):
    """Behind by 0.2, 1.1, 1 and 2.1 points: p = 0.069; with a level of 90 % it is worse alone."""
    high = [0.908, 0.901, 0.901, 0.892]
    arms = {("l1", "finetune"): SLOW, ("l1", "onecycle"): high}
    arms |= {("random", "finetune"): SLOW, ("random", "onecycle"): above(4)}
    entries = {role: ROLES[role] for role in ("finetune", "onecycle")}
    study = read_study("one", arms, entries=entries)
    loose = replace(study, compare=study.compare.model_copy(update={"confidence": 0.9}))
    said = leads.summary(found_in(loose))
    assert said.startswith(
        "**Not settled.** One-cycle is behind fine-tuning in `one` (`l1`, 86 % kept, 72 epochs) "
        "by 1.10 [0.18, 2.02] points, judged by itself, but not if all 2 comparisons are judged "
        "together."
    )
    assert said.endswith(
        "in 1 of 2 cases (1 behind; 86 % of the parameters, 45 % of the dense epochs)."
    )


def test_rivals_are_met_one_by_one(case):
    found = found_in(case("one", rival="tuned", l1=4.0), case("two", random=3.0))
    assert [len(found.constant[rival]) for rival in ("finetune", "tuned")] == [2, 1]
    text = leads.text(found, 0.95, 0.5)
    assert "one-cycle is ahead of fine-tuning in 2 of 2 cases (86 %" in text
    assert " and the best other constant rate in 1 of 1 case (86 %" in text
    assert "<summary>All 3 leads of one-cycle</summary>" in text
    assert "| `one` | `l1` | the best other constant rate | 86.2 | 72 | 45 | 4 | +4.00 [" in text


def test_rewinding_is_no_part_of_the_order_of_large_and_small_rates(case):
    found = found_in(case("one", rival="lr_rewind", l1=4.0))
    assert [*found.by_rival] == ["finetune", "lr_rewind"]
    assert [*found.constant] == ["finetune"]
    assert "rewinding" not in leads.summary(found)
    [row] = [line for line in leads.text(found, 0.95, 0.5).splitlines() if "rewinding" in line]
    assert row.startswith("| learning-rate rewinding | 1 | +4.00")
    assert row.endswith(" | – | 100 [100, 100] | open |")  # of four runs


def test_without_the_arms_nothing_is_said(read_study):
    study = read_study("one", {("l1", "cosine"): SLOW, ("l1", "linear"): SLOW})
    assert leads.summary(found_in(study)) == leads.text(found_in(study), 0.95, 0.5) == leads.NOTHING


def test_a_longer_budget_changes_the_lead(read_study):
    [shrinks] = changes.changes(
        "finetune", found_in(budgets(read_study, 4, 1)).by_rival["finetune"]
    )
    assert (shrinks.verdict, shrinks.value.mean) == ("worse", pytest.approx(-3))
    assert shrinks.what == "`l1`, 8 → 40 epochs"
    said = leads.summary(found_in(budgets(read_study, 4, 1)))
    assert "Its lead over fine-tuning is, with a longer budget, 1 smaller." in said
    assert "1 larger" in leads.summary(found_in(budgets(read_study, 1, 4)))
    assert "1 the same" in leads.summary(found_in(budgets(read_study, 4, 4)))


def test_a_smaller_network_changes_the_lead(case):
    """`l1` keeps 60 %, `fpgm` is made the same criterion and keeps 5: 1 point and 4."""
    study = case("one", l1=1.0, fpgm=4.0, random=2.0)
    arms = study.tables["arms"]
    kept = arms.method.map({"l1": 60.0, "fpgm": 5.0, "random": 5.0})
    tables = {**study.tables, "arms": arms.assign(parameters_kept_percent=kept)}
    less = study.methods["l1"] | {"allocation": {"kind": "uniform", "ratio": 0.9}}
    forms = {**study.method_forms, "fpgm": method_form(less)}
    found = found_in(replace(study, tables=tables, method_forms=forms))
    [grows] = changes.changes("finetune", found.by_rival["finetune"])
    assert grows.what == "`l1` → `fpgm`, 60.0 → 5.0 % kept"
    assert (grows.verdict, grows.value.mean) == ("better", pytest.approx(3))
    said = leads.summary(found)
    assert "Its lead over fine-tuning is, in a smaller network, 1 larger." in said
    row = "| `one` | fine-tuning | `l1` → `fpgm`, 60.0 → 5.0 % kept | 4 | +3.00 ["
    assert row in leads.text(found, 0.95, 0.5)


def test_a_replicate_that_diverged_leaves_its_case_out(read_study):
    gone = lambda reports: diverge(reports, "l1", "onecycle", [1])  # noqa: E731
    arms = {(m, role): SLOW for m in ("l1", "random") for role in ("finetune", "onecycle")}
    entries = {role: ROLES[role] for role in ("finetune", "onecycle")}
    found = found_in(read_study("one", arms, entries=entries, diverging=gone))
    assert [one.case.method for one in found.by_rival["finetune"]] == ["random"]
    said = leads.summary(found)
    assert said.startswith("**No reversal is shown.** One-cycle **diverged**, and ")


@pytest.mark.parametrize(("other", "alone"), [([2], False), ([], True)])
def test_where_both_diverge_it_is_no_reversal(read_study, other, alone):
    def gone(reports):
        diverge(reports, "l1", "onecycle", [1])
        diverge(reports, "l1", "finetune", other)

    arms = {(m, role): SLOW for m in ("l1", "random") for role in ("finetune", "onecycle")}
    entries = {role: ROLES[role] for role in ("finetune", "onecycle")}
    twice = [read_study(n, arms, entries=entries, diverging=gone) for n in ("one", "two")]
    found = found_in(*twice)
    assert (len(found.diverged), found.left_out) == (alone, 1)
    assert "Left out: 1 case in which a replicate of either diverged." in leads.summary(found)


def test_where_nothing_is_decided_it_is_open(case):
    study = case("one", l1=0.3)
    wide = study.tables["replicates"].copy()
    high = (wide.schedule == "onecycle") & (wide.seed % 2 == 0)
    wide.loc[high, "test_top1_percent"] -= 3
    found = found_in(replace(study, tables={**study.tables, "replicates": wide}))
    assert leads.summary(found).startswith("**Open.** Judged one by one, one-cycle is ")


def test_a_change_stands_although_a_larger_study_has_half_of_its_arms(read_study):
    """The study of 8 and 40 epochs has 3 seeds, another of 8 epochs has 4."""
    several = budgets(read_study, 4, 1, seeds=3)
    arms = {("l1", "finetune"): SLOW, ("l1", "onecycle"): above(4)}
    larger = read_study("larger", arms, {"finetune": 8, "onecycle": 8})
    found = found_in(several, larger)
    assert [one.study.name for one in found.constant["finetune"]] == ["budgets", "larger"]
    [change] = changes.changes("finetune", found.by_rival["finetune"])
    assert (change.study.name, change.n) == ("budgets", 3)


def test_the_figure_has_a_row_for_each_set_of_dense_networks(case):
    studies = [case("one", l1=4.0), case("two", rival="tuned", fpgm=1.0, random=3.0)]
    studies.append(case("three", l1=-0.5, options=other()))
    panel = leads_figure(found_in(*studies)).axes[0]
    assert [tick.get_text() for tick in panel.get_yticklabels()] == ["resnet8 on digits"] * 2
    drawn = [
        round(float(line.get_xdata()[0]), 6) for line in panel.lines if line.get_marker() in "os"
    ]
    # the first set: over fine-tuning 4, and 1 and 3 of another study; over another rate 1 and 3
    assert sorted(drawn) == [-0.5, 2.0, 3.0]
    assert panel.get_xlabel() == "points by which one-cycle is ahead"
