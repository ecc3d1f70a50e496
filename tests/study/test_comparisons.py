from pathlib import Path

import pytest

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse, read_yaml
from stages.presets.preset import preset_files, read_params
from stages.study.checks import check
from stages.study.settings import Study

ROOT = Path(__file__).parents[2]
ENTRIES = {
    "flat": {"curve": "constant", "lr": 0.1},
    "lower": {"curve": "constant", "lr": 0.01},
    "cycle": {"curve": "onecycle"},
    "steady": {"curve": "onecycle", "momentum": 0.9},
    "taught": {"curve": "constant", "lr": 0.1, "teacher": {}},
    "hotter": {"curve": "constant", "lr": 0.1, "teacher": {"temperature": 4}},
    "softer": {"curve": "constant", "lr": 0.1, "teacher": {"temperature": 4, "weight": 0.9}},
    "both": {"curve": "onecycle", "teacher": {}},
    "long": {"curve": "constant", "lr": 0.1, "epochs": 8},
    "longer": {"curve": "constant", "lr": 0.1, "epochs": 16},
}


@pytest.fixture(autouse=True)
def project(monkeypatch):
    monkeypatch.chdir(ROOT)


def study(**compare):
    tree = read_yaml()
    tree["retrain"] |= {"schedule": "flat", "schedules": ENTRIES, "epochs": 8}
    tree["compare"] |= {"baseline": "flat", **compare}
    return parse(Study, tree)


PATHS = {
    "an option of the curve": (["flat", "lower"], None),
    "the curve, with its momentum": (["flat", "cycle"], None),
    "the curve, and a momentum that is no other": (["flat", "steady"], None),
    "the momentum": (["cycle", "steady"], None),
    "a key": (["flat", "taught"], None),
    "an option of a key": (["flat", "taught", "hotter"], None),
    "a key whose options are not their defaults": (["flat", "softer"], None),
    "the budget": (["flat", "longer"], None),
    "two options of a key": (
        ["taught", "softer"],
        "taught and softer differ in teacher.weight and",
    ),
    "the curve and a key": (["flat", "both"], "flat and both differ in curve and teacher; neighb"),
    "a budget that is the same": (["flat", "long"], "flat and long differ in nothing; neighbours"),
    "the second step": (["flat", "taught", "cycle"], "taught and cycle differ in curve and teach"),
}


@pytest.mark.parametrize(("path", "line"), PATHS.values(), ids=PATHS)
def test_neighbours_of_a_path_differ_in_one_thing(path, line):
    if line is None:
        check(study(path=path))
        return
    with pytest.raises(Fault, match=f"compare.path: {line}"):
        check(study(path=path))


def test_a_full_cross_is_a_factorial():
    check(study(factorial=["flat", "cycle", "taught", "both"]))


def test_arms_that_are_no_full_cross_are_refused_before_anything_trains():
    with pytest.raises(Fault, match=r"compare\.factorial: no arm differs from flat in curve and t"):
        check(study(factorial=["flat", "cycle", "taught"]))


L1 = {"granularity": "filter", "criterion": "l1"}
L1["allocation"] = {"kind": "uniform", "ratio": 0.3}


def with_budgets(once, total, rounds, **compare):
    """Return a study of two curves at two budgets, after methods of one and of more rounds."""
    tree = read_yaml()
    curves = {"flat": {"curve": "constant", "lr": 0.1}, "cycle": {"curve": "onecycle"}}
    budgets = {"": once, "_total": {"total": total}}
    tree["retrain"] |= {"schedule": "flat", "epochs": 8}
    tree["retrain"]["schedules"] = {
        f"{name}{end}": curve | {"epochs": epochs}
        for name, curve in curves.items()
        for end, epochs in budgets.items()
    }
    tree["prune"]["methods"] = {"l1": L1}
    tree["prune"]["iterative"] = {"in_rounds": L1 | {"rounds": rounds}}
    tree["prune"]["method"] = "in_rounds"
    tree["compare"] |= {"baseline": "flat", "informed": "in_rounds", "random": "in_rounds"}
    tree["compare"] |= compare
    return parse(Study, tree)


CROSS = ["flat", "cycle", "flat_total", "cycle_total"]


@pytest.mark.parametrize(
    ("once", "rounds", "whole"),
    [
        (2, 2, True),  # after l1 alone: 2 and 4 epochs; in two rounds both are 2
        (4, 2, True),  # in two rounds alone: 4 and 2 epochs
        (4, 1, False),
    ],
)
def test_a_budget_for_all_rounds_is_what_it_comes_to_after_each_method(once, rounds, whole):
    for compare in ({"factorial": CROSS}, {"path": ["flat", "flat_total"]}):
        arms = with_budgets(once, 4, rounds, **compare)
        if whole:
            check(arms)
            continue
        with pytest.raises(
            Fault, match=r"compare\.(factorial: .* differ in curve|path: .*nothing)"
        ):
            check(arms)


def test_arms_that_train_several_networks_have_the_epochs_of_all(monkeypatch):
    """So a soup of three has three times the epochs, as the report counts them."""
    soup = {"average": {"kind": "soup", "members": 3}}
    more = {name: entry | soup for name, entry in ENTRIES.items() if name in ("flat", "cycle")}
    monkeypatch.setitem(ENTRIES, "flat_soup", more["flat"])
    monkeypatch.setitem(ENTRIES, "cycle_soup", more["cycle"])
    with pytest.raises(Fault, match=r"compare\.path: flat and flat_soup differ in .*epochs"):
        check(study(path=["flat", "flat_soup"]))


def test_a_curve_that_cannot_be_computed_is_told_once():
    tree = read_yaml()
    tree["retrain"]["schedules"]["mine"] = {"curve": "onecycle", "warmup": 2}
    tree["compare"]["path"] = ["onecycle", "mine"]
    with pytest.raises(Fault) as fault:
        check(parse(Study, tree))
    assert len(f"{fault.value}".splitlines()) == 1


def test_the_preset_is_a_full_cross_of_three_keys():
    whole = parse(Study, read_params(preset_files()["factorial"]))
    assert set(whole.compare.factorial) == set(whole.retrain.schedules)
    assert len(whole.compare.factorial) == 8
