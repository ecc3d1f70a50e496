from itertools import product

import pytest

from stages.pipeline.fault import Fault
from stages.reporting.design import design_of
from stages.reporting.keys import keys_of

LOW, HIGH = {"curve": "constant", "lr": 0.1}, {"curve": "onecycle"}
OPTIONS = {"teacher": {}, "average": {"kind": "swa"}}


def cross(*names):
    """Return the arms of a full cross of the curve and these keys by name."""
    arms = {}
    for curve, *high in product([False, True], repeat=len(names) + 1):
        extra = {name: OPTIONS[name] for name, on in zip(names, high, strict=True) if on}
        arms["_".join(["one" if curve else "flat", *extra])] = {**(HIGH if curve else LOW), **extra}
    return arms


def design(arms):
    momenta = {"onecycle": [0.95, 0.85]}
    lrs = {"onecycle": [0.0, 0.1], "constant": [0.1, 0.1]}
    return design_of(
        {
            n: keys_of(e, 8, lrs[e["curve"]], momenta.get(e["curve"], [0.9, 0.9]), 1)
            for n, e in arms.items()
        }
    )


def test_the_factors_are_the_keys_that_differ():
    found = design(cross("teacher", "average"))
    assert found.factors == ["curve", "teacher", "average"]
    assert found.levels["flat"] == (False, False, False)
    assert found.levels["one_average"] == (True, False, True)
    assert found.arm() == "flat"
    assert found.arm("curve", "teacher") == "one_teacher"


def test_low_is_what_the_first_arm_has():
    arms = cross("teacher")
    found = design({"one_teacher": arms["one_teacher"], **arms})
    assert found.levels["flat"] == (True, True)
    assert found.arm() == "one_teacher"


ARMS = cross("teacher", "average")
FAULTS = {
    "a cell is missing": (
        {n: e for n, e in ARMS.items() if n != "flat_teacher"},
        "no arm differs from flat in teacher alone; a full cross of curve, teacher and average has "
        "8 arms",
    ),
    "two do the same": (
        {**ARMS, "again": {**ARMS["flat"], "start": "final"}},
        "flat and again do the same; leave one out",
    ),
    "a third value": (
        {**ARMS, "ema": {**LOW, "average": {"kind": "ema"}}},
        "average has more than two values; it should have two",
    ),
    "one key": (
        {"flat": LOW, "one": HIGH},
        "its arms differ in curve; they should differ in 2 to 5 keys",
    ),
    "no key": (
        {"flat": LOW, "again": LOW},
        "its arms differ in no key; they should differ in 2 to 5 keys",
    ),
}


@pytest.mark.parametrize(("arms", "line"), FAULTS.values(), ids=FAULTS)
def test_arms_that_are_no_full_cross_are_a_line(arms, line):
    with pytest.raises(Fault) as fault:
        design(arms)
    assert str(fault.value) == f"compare.factorial: {line}"
