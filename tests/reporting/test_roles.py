"""Who stands for the papers' arms: the arms that train as all do."""

import pytest

from stages.reporting.claims.roles import roles
from tests.reporting.helpers import report_of

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
