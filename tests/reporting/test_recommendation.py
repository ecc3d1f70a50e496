import json
import re

import numpy as np
import pytest
from scipy import stats

from stages.reporting.recommendation import recommend
from stages.reporting.sections import answer
from stages.reporting.sections.recommendation import find, table, text
from stages.reporting.sentences import sentences
from stages.results.bits import packed
from tests.reporting.helpers import change, diverge, report_of

HIGH = [0.95, 0.951, 0.952, 0.953]
LOW = [0.91, 0.912, 0.911, 0.913]
MIDDLE = [0.94, 0.942, 0.941, 0.943]
NEAR = [0.9502, 0.9508, 0.9521, 0.9531]
WIDE = [0.9402, 0.9608, 0.9421, 0.9601]


@pytest.fixture
def study(make_study):
    """Return a function that gives arms of one method these accuracies, and recommends."""

    def build(methods=("l1",), seeds=4, advice=None, **arms):
        folder = make_study(list(methods), list(arms), seeds)
        for method in methods:
            for schedule, values in arms.items():
                own = {"epochs": values[1]} if isinstance(values, tuple) else {}
                scores = values[0] if isinstance(values, tuple) else values
                cost = {"training_macs": own["epochs"] * 90_900_000} if own else {}
                change(folder, method, schedule, scores, **own, **cost)
        report = report_of(folder, list(methods), list(arms))
        return report, recommend(report, methods[0], **(advice or {}))

    return build


def test_a_winner_is_recommended_alone_with_its_lead_and_its_cost(study):
    """Differences of 4.0, 3.9, 4.1, 4.0 points: 4 +- 3.1824 * 0.08165 / 2."""
    report, found = study(finetune=LOW, onecycle=HIGH)
    assert found.names == ["onecycle"]
    use, loses = sentences(report, found)
    assert use == (
        "Use `onecycle` for 72 epochs (33 % of the cost of dense training): ahead of every rival "
        "of its budget, the closest by 4.00 [3.87, 4.13] points."
    )
    assert loses == "The baseline `finetune` loses 4.00 [3.87, 4.13] points."


def test_where_nobody_wins_the_recommendation_has_the_best_set_of_the_answer(study):
    report, found = study(finetune=LOW, onecycle=HIGH, scaled=WIDE)
    assert list(found.names) == found.contest.best_set == ["onecycle", "scaled"]
    use, *_, more = sentences(report, found)
    crowd = "the best may be `onecycle` or `scaled` ("
    assert use.endswith(f"highest of its budget, where {crowd}95 % confidence).")
    assert crowd in answer.text(answer.find(report))
    assert re.search(r"takes (about \d+|more than 48) replicates", more)


WAVY = [0.94, 0.942, 0.958, 0.96], [0.946, 0.94, 0.95, 0.955], [0.93, 0.955, 0.931, 0.956]


@pytest.mark.parametrize("seeds", [1, 2, 4])
def test_the_tables_of_the_recommendation_and_of_the_answer_have_one_best_set(study, seeds):
    arms = dict(zip(("scaled", "linear", "tuned"), WAVY, strict=True))
    arms = {name: values[:seeds] for name, values in {"finetune": LOW, **arms}.items()}
    report, _ = study(seeds=seeds, **arms, onecycle=HIGH[:seeds])
    (use,), (best_set,) = table(find(report)).use, answer.table(answer.find(report)).best_set
    assert use == best_set
    assert len(use.split()) > 1


def test_the_best_set_holds_arms_that_the_highest_is_shown_to_beat_by_itself(study):
    """Leads of 0.4, 1.0, 0.9, 1.7 have t = 3.74: beyond t(3, .975) = 3.18, not t(3, .9875) = 4.18.

    Of four rivals, each has the level of the latter.
    """
    behind = [0.946, 0.941, 0.943, 0.936]
    arms = {"scaled": WIDE, "linear": WIDE[::-1], "finetune": WIDE[1::-1] + WIDE[2:]}
    report, found = study(**arms, tuned=behind, onecycle=HIGH)
    assert report.verdict(found.contest.margins["tuned"]) == "better"
    assert "tuned" in found.names


def test_arms_that_are_the_same_need_no_more_replicates(study):
    report, found = study(finetune=LOW, onecycle=HIGH, scaled=NEAR)
    assert set(found.names) == {"onecycle", "scaled"}
    assert sentences(report, found)[-1].endswith("` are the same to within 0.5 points.")


def test_more_replicates_are_for_a_pair_that_is_open(study):
    """`tuned` is closer than `scaled`, but behind by all intervals."""
    open_one = [0.95, 0.91, 0.952, 0.913]
    report, found = study(finetune=LOW, tuned=MIDDLE, scaled=open_one, onecycle=HIGH)
    assert found.contest.runner_up == "tuned"
    said = sentences(report, found)[-1]
    needed = re.match(r"Telling `onecycle` from `scaled` takes about (\d+) replicates", said)
    assert int(needed[1]) > 4


NEXT = [0.9498, 0.9508, 0.9519, 0.9529]
LINES = {
    "finetune": {"curve": "constant"},
    "onecycle": {"curve": "onecycle", "epochs": 20},
    "scaled": {"curve": "onecycle", "epochs": 10},
    "tuned": {"curve": "onecycle", "epochs": 5},
    "linear": {"curve": "linear", "epochs": 3},
}


@pytest.mark.parametrize(
    ("half", "quarter", "said"),
    [
        (WIDE, LOW, "`scaled` for 10 epochs is not shown to be worse"),
        (WIDE, WIDE, "`tuned` for 5 epochs is not shown to be worse"),
        (NEXT, LOW, "`scaled` for 10 epochs is the same to within 0.5 points"),
        (LOW, LOW, "`linear` for 3 epochs is not shown to be worse"),
    ],
)
def test_a_shorter_budget_that_may_do_as_well_is_named(make_study, half, quarter, said):
    """The shortest of the same schedule, or else the cheapest arm."""
    folder = make_study(["l1"], list(LINES), 4)
    scores = dict(zip(LINES, (LOW, HIGH, half, quarter, WIDE), strict=True))
    for name, values in scores.items():
        epochs = LINES[name].get("epochs", 20)
        change(folder, "l1", name, values, epochs=epochs, training_macs=epochs * 90_900_000)
    report = report_of(folder, ["l1"], list(LINES), LINES)
    use = sentences(report, recommend(report, "l1"))[0]
    assert "ahead of every rival of its budget, the closest by 4.00 [" in use
    assert use.endswith(f" points; {said}.")


def test_no_shorter_budget_is_named_where_all_are_worse_or_nothing_is_known(study):
    report, found = study(finetune=(LOW, 9), scaled=(MIDDLE, 9), onecycle=HIGH)
    assert found.shorter is None
    assert sentences(report, found)[0].endswith(": the only arm of its budget.")
    assert study(seeds=1, finetune=([0.94], 9), onecycle=([0.95], 20))[1].shorter is None


def test_a_baseline_of_another_budget_is_compared_with_nothing(study):
    arms = {"finetune": (HIGH, 40), "onecycle": (LOW, 20), "tuned": (MIDDLE, 20)}
    report, found = study(**arms, advice={"epochs": 20})
    assert (found.gain, found.constant) == (None, None)
    assert not any("baseline" in line for line in sentences(report, found))


def test_one_replicate_decides_nothing(study):
    report, found = study(seeds=1, finetune=LOW[:1], onecycle=HIGH[:1])
    assert found.names == ["onecycle", "finetune"]
    assert sentences(report, found)[0].startswith("Use `onecycle` for")
    assert "one replicate decides nothing" in sentences(report, found)[0]
    assert "undecided" in sentences(report, found)[1]


def test_a_tuned_constant_is_told_as_a_part_of_the_gain(study):
    """It gains 3 of 4, 3.9, 4.1 and 4 points; 1.0, 0.9, 1.1 and 1.0 remain.

    Fieller: (12 +- sqrt(144 - 9 a)) / a with a = 16 - 3.1824^2 / 4 * 0.02 / 3.
    """
    report, found = study(finetune=LOW, tuned=MIDDLE, onecycle=HIGH)
    assert found.constant.captured.value == pytest.approx(0.75)
    told = sentences(report, found)[2]
    assert told.startswith("Fine-tuning at a constant 0.01 (`tuned`) gets 75 % [73, 78] of that ga")
    assert told.endswith("and is still 1.00 [0.87, 1.13] points behind.")


def test_a_constant_rate_with_a_teacher_is_not_plain_fine_tuning(make_study):
    names = ["finetune", "tuned", "onecycle"]
    folder = make_study(["l1"], names, 4)
    for name, values in zip(names, (LOW, MIDDLE, HIGH), strict=True):
        change(folder, "l1", name, values)
    entries = {name: {"curve": "constant"} for name in names}
    assert recommend(report_of(folder, ["l1"], names, entries), "l1").constant
    entries["tuned"]["teacher"] = {"weight": 0.5}
    assert recommend(report_of(folder, ["l1"], names, entries), "l1").constant is None


def test_the_ends_of_a_part_have_a_true_minus(study):
    """Gains of 0.6, 0.5, 0.7, 0.6 points; of these -4, 4.2, -4.3 and 4.1 are the tuned arm's."""
    gains = np.add(LOW, [0.006, 0.005, 0.007, 0.006]).tolist()
    wide = np.add(LOW, [-0.04, 0.042, -0.043, 0.041]).tolist()
    report, found = study(finetune=LOW, tuned=wide, onecycle=gains)
    told = sentences(report, found)[2]
    assert re.search(r"gets \d+ % \[−\d+, \d+\] of that gain", told)
    assert "-" not in told.replace("Fine-tuning", "")


def test_two_differences_that_coincide_are_said_to_be_why_nothing_is_decided(study):
    report, found = study(seeds=2, finetune=[0.91, 0.92], onecycle=[0.95, 0.96])
    loses = sentences(report, found)[1]
    why = ", as two differences that agree to the digit show no spread"
    assert loses.endswith(f"is undecided (4.00 [4.00, 4.00] points){why}.")
    assert f"`onecycle` or `finetune` (best set, 95 % confidence){why}." in answer.text(
        answer.find(report)
    )


@pytest.mark.parametrize(
    "arms",
    [
        {"tuned": MIDDLE, "onecycle": HIGH},
        {"finetune": HIGH, "tuned": MIDDLE, "onecycle": LOW},
        {"finetune": LOW, "onecycle": MIDDLE, "tuned": HIGH},
    ],
)
def test_there_is_no_part_without_another_constant_and_a_gain(study, arms):
    assert study(**arms)[1].constant is None


def test_the_cheapest_arm_is_shown_to_lose_less_than_asked(study):
    """`scaled` at 9 epochs is 0.98 to 1.02 points behind."""
    arms = {"finetune": LOW, "onecycle": HIGH, "scaled": ([0.94, 0.941, 0.9422, 0.943], 9)}
    report, found = study(**arms, advice={"max_drop": 1.5})
    assert found.cheapest.schedule == "scaled"
    cheap = sentences(report, found)[-1]
    assert "Within 1.5 points of it, `scaled` is cheapest: 9 epochs, 4 %" in cheap


def test_a_cheap_arm_that_may_lose_more_is_not_named(study):
    arms = {"finetune": LOW, "onecycle": HIGH, "scaled": ([0.94, 0.941, 0.9422, 0.943], 9)}
    assert study(**arms, advice={"max_drop": 0.9})[1].cheapest is None


def test_a_budget_is_kept(study):
    arms = {"finetune": (LOW, 9), "scaled": (MIDDLE, 9), "onecycle": (HIGH, 72)}
    assert study(**arms)[1].best.schedule == "onecycle"
    assert study(**arms, advice={"epochs": 71})[1].best.schedule == "scaled"
    assert study(**arms, advice={"epochs": 8})[1] is None


def test_controls_and_arms_that_diverged_are_never_recommended(make_study):
    schedules = ["finetune", "onecycle", "scratch_b", "scaled"]
    folder = make_study(["l1"], schedules, 4)
    for schedule, scores in zip(schedules, (LOW, MIDDLE, HIGH, HIGH), strict=True):
        change(folder, "l1", schedule, scores)
    diverge(folder, "l1", "scaled", [0])
    report = report_of(folder, ["l1"], schedules)
    assert recommend(report, "l1").names == ["onecycle"]
    for schedule in ("finetune", "onecycle"):
        diverge(folder, "l1", schedule)
    assert recommend(report_of(folder, ["l1"], schedules), "l1") is None


def test_the_section_has_a_line_a_method_and_the_command_that_writes_the_network(study):
    report, _ = study(methods=("l1", "random"), finetune=LOW, onecycle=HIGH)
    advice = find(report)
    page = text(advice)
    assert page.startswith("- After `l1` (86.2 % of the parameters kept): Use `onecycle`")
    assert "\n- After `random`" in page
    assert "`afterprune export --method l1 --schedule onecycle` writes" in page
    assert table(advice)["use"].tolist() == ["onecycle", "onecycle"]


def test_a_method_has_three_sentences_and_the_others_are_folded(study):
    report, found = study(finetune=LOW, tuned=MIDDLE, onecycle=HIGH, scaled=WIDE)
    said = sentences(report, found)
    assert len(said) == 4
    open_part, _, folded = text(find(report)).partition("<details>")
    assert f"parameters kept): {' '.join(said[:3])}\n" in open_part
    assert f"\n\n- `l1`: {said[3]}\n\n</details>" in folded
    assert said[3] not in open_part


def test_where_three_sentences_say_all_nothing_is_folded(study):
    report, found = study(finetune=LOW, onecycle=HIGH)
    assert len(sentences(report, found)) <= 3
    assert "<details>" not in text(find(report))


def test_the_interval_for_new_images_stands_beside_that_of_the_seeds(make_study):
    """It is wider where some images are hard for all, and there only where they are known."""
    folder = make_study(["l1"], ["finetune", "onecycle"], 4)
    chance = np.random.default_rng(0)
    hard = chance.random(400)
    for schedule, part in (("finetune", 0.9), ("onecycle", 0.95)):
        rows = 0.9 * hard + 0.1 * chance.random((4, 400)) < part
        path = folder / "arms/l1" / f"{schedule}.json"
        arm = json.loads(path.read_text())
        for run, row in zip(arm["replicates"], rows, strict=True):
            run["correct"], run["last"]["test"]["accuracy"] = packed(row), float(row.mean())
        path.write_text(json.dumps(arm))
    report = report_of(folder, ["l1"], ["finetune", "onecycle"])
    found = recommend(report, "l1")
    wider, gain = found.gain_for_new_images, found.gain
    assert wider.mean == pytest.approx(gain.mean)
    assert wider.low < gain.low < gain.high < wider.high
    said = f"on this test set, {wider.low:.2f} to {wider.high:.2f} on new test images too."
    assert sentences(report, found)[1].endswith(said)
    diverge(folder, "l1", "finetune", [0])
    report = report_of(folder, ["l1"], ["finetune", "onecycle"])
    assert report.for_new_images(*report.results.of("l1")) is None


CLOSE = [0.913, 0.920, 0.923, 0.930]
"""1.0 above LOW, sd 0.594: t = 3.365 against 3.182 of three degrees of freedom."""


def test_a_close_call_says_the_chance_that_a_repeat_finds_it_again(study):
    report, found = study(finetune=LOW, onecycle=CLOSE)
    use, loses = sentences(report, found)
    shift = np.mean(leads := np.subtract(CLOSE, LOW)) / np.std(leads, ddof=1) * 2
    chance = stats.nct.sf(stats.t.ppf(0.975, 3), 3, shift)
    assert 0.5 < chance < 0.8
    again = f"would find a lead over `finetune` again with a chance of {chance:.2f}."
    assert use.endswith(f"; a close call: a repeat with as many new replicates {again}")
    assert "; a close call: " in loses
    rows = table(find(report))
    assert rows.least_sure_rival[0] == "finetune"
    assert rows.repeat_chance[0] == pytest.approx(chance, abs=0.005)


def test_what_is_sure_or_not_decided_is_no_close_call(study):
    for arms in ({"finetune": LOW, "onecycle": HIGH}, {"finetune": WIDE, "onecycle": HIGH}):
        report, found = study(**arms)
        assert "close call" not in " ".join(sentences(report, found))


def test_the_rival_that_scatters_is_less_sure_than_the_closest(study):
    """`scaled` is behind by 2.05 on average, but less surely than `lr_rewind` by 1.0."""
    wavy = [0.9185, 0.9405, 0.9205, 0.9445]
    report, found = study(finetune=LOW, onecycle=HIGH, lr_rewind=MIDDLE, scaled=wavy)
    assert found.contest.winner == "onecycle"
    assert found.contest.runner_up == "lr_rewind"
    assert table(find(report)).least_sure_rival[0] == "scaled"
