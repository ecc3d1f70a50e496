from stages.reporting.pairs import Asked, pairs
from tests.reporting.helpers import change, diverge, report_of

SCHEDULES = ["finetune", "onecycle", "scaled"]


def named(report):
    return {frozenset((pair.first, pair.second)) for pair in pairs(report)}


def test_every_pair_is_there_once(make_study):
    report = report_of(make_study(["l1", "random"], SCHEDULES), ["l1", "random"], SCHEDULES)
    found = pairs(report)
    assert len(found) == len(named(report))
    within = {("finetune", "onecycle"), ("finetune", "scaled"), ("onecycle", "scaled")}
    same = {frozenset((f"{m}-{a}", f"{m}-{b}")) for m in ("l1", "random") for a, b in within}
    across = {frozenset((f"random-{s}", f"l1-{s}")) for s in SCHEDULES}
    crossed = {frozenset((f"random-{s}", "l1-finetune")) for s in SCHEDULES}
    assert across | crossed <= named(report) <= same | across | crossed


def test_the_verdict_is_that_of_the_report(make_study):
    folder = make_study(["l1"], SCHEDULES[:2])
    change(folder, "l1", "finetune", [0.90, 0.90, 0.90])
    change(folder, "l1", "onecycle", [0.95, 0.951, 0.952])
    (pair,) = pairs(report_of(folder, ["l1"], SCHEDULES[:2]))
    assert (pair.first, pair.second, pair.verdict) == ("l1-onecycle", "l1-finetune", "better")


def test_what_diverged_is_in_no_pair(make_study):
    folder = make_study(["l1", "random"], SCHEDULES)
    diverge(folder, "random", "onecycle", [1])
    found = named(report_of(folder, ["l1", "random"], SCHEDULES))
    assert found
    assert not any("random-onecycle" in pair for pair in found)


def test_the_headline_is_the_best_schedule_against_the_baseline_and_the_crossed_pair(make_study):
    folder = make_study(["l1", "random"], SCHEDULES)
    change(folder, "l1", "scaled", validation=[0.99, 0.99, 0.99])
    report = report_of(folder, ["l1", "random"], SCHEDULES)
    found = [(pair.first, pair.second) for pair in pairs(report, Asked.headline)]
    assert found == [("l1-scaled", "l1-finetune"), ("random-scaled", "l1-finetune")]


def test_where_the_baseline_is_best_the_headline_is_what_it_is_the_best_of(make_study):
    folder = make_study(["l1", "random"], SCHEDULES)
    change(folder, "l1", "finetune", validation=[0.99, 0.99, 0.99])
    report = report_of(folder, ["l1", "random"], SCHEDULES)
    found = [(pair.first, pair.second) for pair in pairs(report, Asked.headline)]
    assert found == [("l1-onecycle", "l1-finetune"), ("l1-scaled", "l1-finetune")]


def test_every_arm_can_be_asked_for_against_its_baseline(make_study):
    report = report_of(make_study(["l1", "random"], SCHEDULES), ["l1", "random"], SCHEDULES)
    found = [(pair.first, pair.second) for pair in pairs(report, Asked.baseline)]
    assert found == [(f"{m}-{s}", f"{m}-finetune") for m in ("l1", "random") for s in SCHEDULES[1:]]
