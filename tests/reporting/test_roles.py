"""Who stands for the papers' arms: the arms that train as all do."""

import pytest

from stages.reporting.claims.roles import roles
from tests.reporting.helpers import change, report_of

METHODS, NAMES = ["l1", "random"], ["finetune", "onecycle"]


@pytest.mark.parametrize(
    "keys",
    [{"teacher": {}}, {"trainable": "norm"}, {"average": {"kind": "ema"}}, {"state": "kept"}],
)
def test_an_arm_with_keys_of_its_own_plays_no_role(keys, make_study):
    entries = {"finetune": {"curve": "constant"}, "onecycle": {"curve": "onecycle"}}
    folder = make_study(METHODS, NAMES)
    plain = roles(report_of(folder, METHODS, NAMES, entries), "l1")
    assert plain.onecycle.curve == "onecycle"
    entries["onecycle"] |= keys
    own = roles(report_of(folder, METHODS, NAMES, entries), "l1")
    assert (own.onecycle, own.fast, own.restarts) == (None, None, [])
    assert own.lines.keys() == plain.lines.keys()


@pytest.mark.parametrize(("curve", "rate"), [("pfec", 0.0005), ("torch_pruning", 0.5)])
def test_a_prescription_plays_no_role_whatever_its_rate(curve, rate, make_study):
    names = ["finetune", "tuned", "cosine"]
    folder = make_study(METHODS, names)
    entries = {name: {"curve": name} for name in names}
    before = roles(report_of(folder, METHODS, names, entries), "l1")
    points = {"step": [0, 1], "lr": [rate, rate], "momentum": [0.9, 0.9]}
    change(folder, "l1", "tuned", curve=curve, points=points)
    after = roles(report_of(folder, METHODS, names, entries), "l1")
    assert [line.name for line in before.restarts] == ["tuned", "cosine"]
    assert [line.name for line in after.restarts] == ["cosine"]
    assert (after.finetune.name, after.fast.name) == ("finetune", "cosine")


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ((0.4, 0.1), "scaled"),
        ((0.4, "max"), "scaled"),
        ((0.4, None), "scaled"),
        ((0.1, "max"), "onecycle"),
        ((0.4, 0.2), "onecycle"),  # neither is at the dense run's peak
    ],
)
def test_of_several_one_cycles_the_one_at_the_dense_peak_is_the_papers(rates, chosen, make_study):
    names = ["finetune", "onecycle", "scaled"]
    folder = make_study(["l1"], names)
    change(folder, "l1", "scaled", curve="onecycle")
    entries = {"finetune": {"curve": "constant"}}
    for name, rate in zip(names[1:], rates, strict=True):
        entries[name] = {"curve": "onecycle"} | ({"max_lr": rate} if rate else {})
    found = roles(report_of(folder, ["l1"], names, entries, dense_peak=0.1), "l1")
    assert found.onecycle.name == chosen
