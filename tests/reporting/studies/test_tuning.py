"""What the best other constant rate captures of one-cycle's gain, by hand."""

from dataclasses import replace

import pytest

from stages.reporting.studies import tuning
from stages.reporting.studies.roles import cases
from tests.reporting.studies.conftest import ROLES, other

SLOW = [0.91, 0.912, 0.911, 0.913]


def study_of(read_study, name, tuned, onecycle, method="l1", **dense):
    """A study in which both gain these points by seed over fine-tuning."""
    arms = {(method, "finetune"): SLOW[: len(tuned)]}
    for role, gains in (("tuned", tuned), ("onecycle", onecycle)):
        arms[method, role] = [round(v + g / 100, 4) for v, g in zip(SLOW, gains, strict=False)]
    return read_study(name, arms, entries={role: ROLES[role] for _, role in arms}, **dense)


def test_the_share_is_the_ratio_of_mean_gains(read_study):
    study = study_of(read_study, "one", [1, 2, 3, 2], [4, 4, 4, 4])
    [share] = tuning.shares(cases([study]), 0.95)
    assert share.value.value == pytest.approx(0.5)
    # one-cycle's gain does not scatter: (2 +- 3.18245 * 0.81650 / 2) / 4
    assert (share.value.low, share.value.high) == pytest.approx((0.17519, 0.82481), abs=1e-4)
    assert tuning.summary([share]) == (
        "The one tried captures 50 % of one-cycle's gain over fine-tuning [18 % to 82 %]. "
        "Others may capture more."
    )
    row = "| `one` | 0.01 (1) | 4 | +2.00 [+0.70, +3.30] | +4.00 [+4.00, +4.00] | 50 [18, 82] |"
    assert row in tuning.text([share])


def test_every_set_of_dense_networks_counts_the_same(read_study):
    """Shares of 50 and 90 %; the two studies of other networks are one, of 90 %."""
    one = study_of(read_study, "one", [1, 2, 3, 2], [4, 4, 4, 4])
    two = study_of(read_study, "two", [1.7, 1.8, 1.9, 1.8], [2, 2, 2, 2], **other())
    three = study_of(read_study, "three", [3.5, 3.6, 3.7, 3.6], [4, 4, 4, 4], "fpgm", **other())
    found = tuning.shares(cases([one, two, three]), 0.95)
    names = [[case.study.name for case in share.cases] for share in found]
    assert names == [["one"], ["three", "two"]]
    said = tuning.summary(found)
    assert said.startswith("The one tried captures 70 % of one-cycle's gain over")
    assert ", the mean of 2 sets of dense networks, which have 50 % to 90 %." in said


def test_each_rate_that_was_tried_has_the_cases_in_which_it_is_the_best(read_study):
    """0.1, written twice, is the best on validation data after L1, and diverges after FPGM."""
    high = {
        "linear": {"curve": "constant", "lr": 0.1},
        "cosine": {"curve": "constant", "lr": "max"},
    }
    entries = {name: ROLES[name] for name in ("finetune", "tuned", "onecycle")} | high
    arms = {(method, name): SLOW for method in ("l1", "fpgm") for name in entries}
    fast = [value + 0.02 for value in SLOW]
    arms |= {(method, "onecycle"): fast for method in ("l1", "fpgm")}
    l1, fpgm = cases([read_study("one", arms, entries=entries)])
    held_out = l1.validation + 5 * (l1.validation.index == "linear")
    gone = fpgm.scores.assign(linear=float("nan"), cosine=float("nan"))
    [share] = tuning.shares([replace(l1, validation=held_out), replace(fpgm, scores=gone)], 0.95)
    assert dict(share.chosen) == {0.01: 1, 0.1: 1}
    assert tuning.summary([share]).startswith("The best of the 2 tried captures 0 % of one-")
    assert "| `one` | 0.01 (1), 0.1 (1) | 4 |" in tuning.text([share])


def test_two_gains_that_coincide_show_nothing(read_study):
    """The differences of two seeds agree to the digit far more often than chance would have it."""
    study = study_of(read_study, "one", [3, 3], [4, 4])
    [share] = tuning.shares(cases([study]), 0.95)
    assert not share.shown


def test_of_no_gain_there_is_no_part(read_study):
    none = study_of(read_study, "one", [1, 2, 3, 2], [1, -1, 1, -1])
    found = tuning.shares(cases([none]), 0.95)
    assert tuning.summary(found).startswith("No study shows a gain of one-cycle")
    assert "| – |" in tuning.text(found)


def test_it_takes_all_three_arms(read_study):
    arms = {("l1", role): SLOW for role in ("finetune", "onecycle")}
    study = read_study("one", arms, entries={role: ROLES[role] for _, role in arms})
    assert tuning.shares(cases([study]), 0.95) == []
    assert tuning.text([]) == tuning.summary([])
