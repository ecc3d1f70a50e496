"""Arms with replicates that diverged: named everywhere, nowhere averaged, ranked or compared."""

import math
import re

import pandas as pd
import pytest

from stages.reporting.crossing import choose, cross
from stages.reporting.curves import epoch_table, write_curves
from stages.reporting.measures import best_test, last_test, mean_test, selected_test
from stages.reporting.page import page, write_figures, write_tables
from stages.reporting.sections import ablation, answer, claims, crossed, rankings, recommendation
from stages.statistics.estimates import estimate, paired
from tests.reporting.helpers import change, diverge, report_of

METHODS = ["l1", "random", "hrank"]
SCHEDULES = ["finetune", "onecycle", "scaled", "linear"]


@pytest.fixture
def make(make_study):
    """Return a function that makes a study in which arms diverge, and its report."""

    def report(*gone, methods=METHODS, schedules=SCHEDULES, seeds=4, path=(), **options):
        folder = make_study(methods, schedules, seeds=seeds)
        for arm in gone:
            diverge(folder, *arm, **options)
        random = methods[1 % len(methods)]
        return report_of(folder, methods, schedules, random=random, path=path)

    return report


def everywhere(schedule):
    return [(method, schedule) for method in METHODS]


def test_no_measure_is_one_of_the_replicates_that_are_left(make):
    arm = make(("l1", "onecycle", [1])).results.arms["l1", "onecycle"]
    for measure in (last_test, best_test, selected_test):
        series = measure(arm)
        assert series.index.tolist() == [0, 1, 2, 3]
        assert series.isna().tolist() == [False, True, False, False]
        found = estimate(series, 0.95)
        assert (found.n, found.known, found.has_interval) == (4, False, False)
        assert all(math.isnan(value) for value in (found.mean, found.sd, found.low, found.high))


def test_a_pair_of_which_one_diverged_is_no_difference_and_drops_no_seed(make):
    arms = make(("l1", "onecycle", [1])).results.arms
    found = paired(last_test(arms["l1", "onecycle"]), last_test(arms["l1", "scaled"]), 0.95)
    assert (found.n, found.known) == (4, False)
    assert not found.above_zero
    assert not found.below_zero
    both = mean_test([arms["l1", "onecycle"], arms["l1", "scaled"]])
    assert both.isna().tolist() == [False, True, False, False]


@pytest.mark.parametrize(
    ("gone", "options"),
    [
        ([("l1", "onecycle", [1])], {}),
        (everywhere("onecycle"), {}),
        (everywhere("finetune"), {}),  # the baseline
        ([("l1", name) for name in SCHEDULES], {}),
        ([("random", name) for name in SCHEDULES], {}),
        ([arm for name in SCHEDULES for arm in everywhere(name)], {}),
        ([arm for name in SCHEDULES[1:] for arm in everywhere(name)], {}),
        (everywhere("onecycle"), {"seeds": 1}),
        ([arm for name in SCHEDULES for arm in everywhere(name)], {"seeds": 1}),
        (everywhere("onecycle"), {"epoch": 1}),
        (everywhere("onecycle"), {"loss": 1e9, "epoch": 73}),
        ([("l1", "onecycle")], {"methods": ["l1"]}),
        ([("l1", "onecycle")], {"methods": ["l1"], "schedules": ["onecycle"]}),
        ([("l1", "finetune")], {"methods": ["l1"], "schedules": ["finetune", "onecycle"]}),
    ],
)
def test_every_section_stands(gone, options, make, tmp_path):
    schedules = options.get("schedules", SCHEDULES)
    report = make(*gone, path=schedules if len(schedules) > 1 else (), **options)
    write_tables(tmp_path / "tables", report)
    tables = "\n".join(path.read_text() for path in (tmp_path / "tables").iterdir())
    text = page(report)
    assert not re.search(r"\bnan\b", f"{text}{tables}", re.IGNORECASE)
    arms = pd.read_csv(tmp_path / "tables/arms.csv").set_index(["method", "schedule"])
    for key, arm in report.results.arms.items():
        assert arms.loc[key, "diverged"] == len(arm.diverged)
        assert arms.loc[key, "replicates"] == len(arm.seeds)
        assert pd.isna(arms.loc[key, "test_top1_percent_mean"]) == bool(arm.diverged)
        if arm.diverged:
            place = rf"`{key[1]}` on [^(]*`{key[0]}`[^(]* \({len(arm.diverged)} of"
            assert re.search(place, text)
    for cell in report.cells:
        names = {cell.contest.best, *cell.contest.margins}
        assert not any(report.results.arms[cell.method, name].diverged for name in names)


@pytest.mark.parametrize(
    ("gone", "epoch"),
    [
        ([("l1", "onecycle", [1])], 40),
        ([("l1", name) for name in SCHEDULES[:2]], 1),
        ([("l1", "finetune")], 73),  # the baseline
    ],
)
def test_every_figure_stands(gone, epoch, make, tmp_path):
    schedules = SCHEDULES[:2]
    report = make(*gone, methods=["l1"], schedules=schedules, seeds=2, path=schedules, epoch=epoch)
    write_figures(tmp_path / "figures", report)
    write_curves(tmp_path / "curves", report.results)
    svg = "".join(path.read_text() for path in (tmp_path / "figures").iterdir())
    assert not re.search(r"[ \"](nan|inf)\b", svg)
    assert f"diverged ({len(report.diverged[0].diverged)} of 2)" in svg
    curve = pd.read_csv(tmp_path / "curves" / "l1.csv").query("schedule == 'onecycle'")
    expected = epoch - 1 if report.results.arms["l1", "onecycle"].diverged else 72
    assert len(curve) == expected


def test_the_answer_names_arm_epoch_and_learning_rate(make):
    gone = [("l1", "onecycle", [1, 3]), ("l1", "linear"), ("random", "linear")]
    report = make(*gone, epoch=3, lr=12.5)
    line = next(x for x in answer.text(answer.find(report)).splitlines() if "Diverged" in x)
    assert line == (
        "- **Diverged**: `onecycle` on `l1` (2 of 4 replicates, in epoch 3 at learning rate 12.5); "
        "`linear` on `l1` and `random` (4 of 4 replicates, in epoch 3 at learning rate 12.5). An "
        "arm with a replicate that diverged has no mean: it cannot win, and takes part in no "
        "comparison."
    )


def test_the_table_of_arms_puts_it_last_with_n_of_all(make):
    text = page(make(("l1", "onecycle", [1])))
    rows = [line for line in text.splitlines() if re.match(r"\| \**`\w+`.* \| 72 \|", line)]
    assert rows[3].startswith("| `onecycle` | `curve` | 72 | diverged (1 of 4) | – | – | – | – |")
    assert rows[3].endswith("| 3 of 4 |")
    assert all(row.endswith("| 4 |") for row in rows[:3])


def test_the_best_arm_does_not_win_where_a_replicate_of_it_diverged(make_study):
    folder = make_study(["l1"], ["finetune", "onecycle", "scaled"], seeds=4)
    for name, test in (("finetune", 0.5), ("onecycle", 0.9), ("scaled", 0.7)):
        change(folder, "l1", name, [test, test + 0.01, test + 0.02, test + 0.03])
    before = report_of(folder, ["l1"], ["finetune", "onecycle", "scaled"])
    assert before.winners("l1") == {"onecycle"}
    diverge(folder, "l1", "onecycle", [0])
    after = report_of(folder, ["l1"], ["finetune", "onecycle", "scaled"])
    assert after.winners("l1") == {"scaled"}
    assert "**scaled**" not in page(after)
    assert page(after).count("**`scaled` wins.**") == 1


@pytest.mark.parametrize(
    ("gone", "summary"),
    [
        ([("l1", name) for name in SCHEDULES], "for any of"),
        (
            [arm for name in SCHEDULES for arm in everywhere(name)],
            "Every arm diverged, so there is",
        ),
        (
            [arm for name in SCHEDULES[1:] for arm in everywhere(name)],
            "No two schedules of equal epochs finished, so there is nothing to compare.",
        ),
    ],
)
def test_the_summary_claims_nothing_for_what_diverged(gone, summary, make):
    text = answer.text(answer.find(make(*gone)))
    bold = text.partition("\n")[0]
    if summary == "for any of":
        assert "`l1`" not in bold
        assert "of the 3 pruning methods" not in bold
        assert "**l1**, 86.2 % of the parameters: all arms diverged." in text
    else:
        assert summary in bold


def test_the_best_schedule_is_one_that_finished(make):
    best, _ = choose(make())
    assert best == "onecycle"
    report = make(("l1", "onecycle", [1]))
    assert choose(report)[0] not in {"onecycle", None}
    assert choose(make(*[("l1", name) for name in SCHEDULES])) is None


def test_what_cannot_be_crossed_says_so(make):
    found = cross(make(("l1", "finetune", [0])))
    said = crossed.sentence(found, 0.95)
    assert "with `finetune`, `random` and `l1` are not compared, as one diverged" in said
    assert "Crossed: `random` + `onecycle` and `l1` + `finetune` are not compared" in said
    text = crossed.text(crossed.find(make(*[("l1", name) for name in SCHEDULES])))
    assert text.startswith("No arm of `l1` with the baseline arm's budget finished")


def test_methods_of_which_an_arm_diverged_are_not_ranked(make):
    found = rankings.find(make(("fpgm", "finetune", [2]), methods=[*METHODS, "fpgm"]))
    assert sorted(found.best.methods) == sorted(found.baseline.methods) == ["hrank", "l1", "random"]
    assert "over 3 methods). Left out, as an arm diverged: `fpgm`." in rankings.text(found)
    assert rankings.find(make(("hrank", "onecycle", [2]))) is None


def test_a_path_over_an_arm_that_diverged_has_no_carrier(make):
    report = make(("l1", "onecycle", [0]), path=("finetune", "onecycle", "scaled"))
    found = ablation.find(report)[0]
    assert [change.difference.known for change in found.changes] == [False, False]
    assert found.whole.difference.known
    said = ablation.sentence(found)
    assert said.startswith("**From `finetune` to `scaled`** on `l1`: +")
    assert said.endswith("; `onecycle` diverged.")


def test_a_claim_says_which_arm_keeps_it_open(make):
    found = claims.find(make(("l1", "onecycle", [1]))).claims
    open_parts = [
        part
        for claim in found
        for part in claim.parts
        if any(item.diverged for item in part.evidence)
    ]
    assert open_parts
    for part in open_parts:
        assert part.verdict == "cannot be decided"
    text = claims.text(claims.find(make(("l1", "onecycle", [1]))))
    assert "**cannot be decided**, as `onecycle` on `l1` diverged." in text
    assert "`onecycle` − `finetune` – (72 epochs)" in text


def test_a_claim_without_it_is_judged_as_before(make):
    """`linear` plays no role while there are `scaled` and `onecycle`."""
    before, after = (claims.find(make(*gone)).claims for gone in ((), [("l1", "linear")]))
    assert [claim.verdict for claim in after] == [claim.verdict for claim in before]


def test_the_curve_of_an_arm_ends_where_its_first_replicate_did(make):
    report = make(("l1", "onecycle", [1]), epoch=4)
    assert epoch_table(report.results.arms["l1", "onecycle"])["epoch"].tolist() == [1, 2, 3]
    assert len(epoch_table(report.results.arms["l1", "scaled"])) == 72


def test_metrics_say_how_many_diverged(make):
    text = page(make(("l1", "onecycle", [1]), ("random", "onecycle")))
    rows = [line for line in text.splitlines() if line.startswith("| `onecycle` | diverged")]
    cells = [row.split(" | ")[1:3] for row in rows]
    assert cells == [["diverged (1 of 4)", "diverged (4 of 4)"]] * 2


@pytest.mark.parametrize(
    ("seeds", "dense", "warnings"),
    [
        (4, 0.9, []),
        (3, 0.9, ["only 3 replicates"]),
        (1, 0.9, []),  # the summary says what one replicate is worth
        (4, 0.54, ["54.0 % right"]),
        (4, 0.56, []),  # nearer to all than to the 10 % of one class
        (
            2,
            0.42,
            ["only 2 replicates", "42.0 % right", "naming one class for all images (10.0 %)"],
        ),
    ],
)
def test_weak_evidence_is_called_so(seeds, dense, warnings, make_study):
    folder = make_study(["l1"], ["finetune", "onecycle"], seeds=seeds)
    report = report_of(folder, ["l1"], ["finetune", "onecycle"])
    record = report.results.dense
    runs = [
        run.model_copy(update={"test": {**run.test, "accuracy": dense}})
        for run in record.replicates
    ]
    results = report.results.__class__(
        report.results.arms,
        report.results.pruned,
        record.model_copy(update={"replicates": tuple(runs)}),
    )
    again = report.__class__(results, report.settings, report.schedules)
    text = recommendation.text(recommendation.find(again))
    assert ("Weak evidence" in text) == bool(warnings)
    assert all(warning in text for warning in warnings)
