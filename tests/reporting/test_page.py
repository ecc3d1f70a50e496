import json
import re
from contextlib import contextmanager

import pytest

from stages import compare
from stages.dense.settings import Train
from stages.pipeline.params import read_yaml
from stages.presets.preset import DEFAULT
from stages.reporting.curves import write_curves
from stages.reporting.page import SECTIONS, write_tables
from stages.reporting.page import page as render
from stages.reporting.sections import answer
from stages.reporting.settings import Compare
from tests.reporting.helpers import change, report_of


def page(folder, methods, schedules, entries=None, **settings):
    return render(report_of(folder, methods, schedules, entries, **settings))


def set_accuracies(folder, method, schedule, values, **changes):
    change(folder, method, schedule, values, values, **changes)


def section(text, title):
    return re.search(rf"## {re.escape(title)}\n\n(.*?)(?=\n## |\Z)", text, re.DOTALL)[1]


@pytest.fixture
def two(make_study):
    """Return two methods and schedules of known accuracies: onecycle + 2, random - 1 point."""
    folder = make_study(["l1", "random"], ["finetune", "onecycle"])
    set_accuracies(folder, "l1", "finetune", [0.90, 0.91, 0.92])
    set_accuracies(folder, "l1", "onecycle", [0.92, 0.93, 0.94])
    set_accuracies(folder, "random", "finetune", [0.89, 0.90, 0.91])
    set_accuracies(folder, "random", "onecycle", [0.91, 0.92, 0.93])
    return folder


def test_the_page_opens_with_the_winner_and_its_margin(two):
    answer = section(page(two, ["l1", "random"], ["finetune", "onecycle"]), "Answer")
    assert answer.startswith("**`onecycle` wins for each of the 2 pruning methods.**")
    assert "`onecycle` **wins** with 93.00 ± 1.00 % (n = 3)" in answer
    assert "`finetune`, is behind by 2.00 points (95 % interval +2.00 to +2.00)" in answer


def test_the_crossed_comparison_never_stands_alone(two):
    text = section(
        page(two, ["l1", "random"], ["finetune", "onecycle"]),
        "Does the schedule outweigh the pruning method?",
    )
    assert "| `random` + `onecycle` − `l1` + `finetune` | **two changes**" in text
    assert "| `random` + `finetune` − `l1` + `finetune` | one change: pruning | −1.00" in text
    assert "| `random` + `onecycle` − `l1` + `onecycle` | one change: pruning | −1.00" in text
    assert "under one schedule only" in text


def test_an_arm_without_epochs_has_its_place_on_the_page(make_study, tmp_path):
    """Local reconstruction alone: there is no learning rate, and no accuracy by epoch."""
    folder = make_study(["l1", "random"], ["finetune", "onecycle", "scaled"])
    for method in ("l1", "random"):
        path = folder / "arms" / method / "scaled.json"
        arm = json.loads(path.read_text()) | {"epochs": 0, "training_macs": 9e5}
        arm["points"] = {"step": [0], "lr": [0.0], "momentum": [0.0]}
        for run in arm["replicates"]:
            run["history"] = {"train_loss": [], "validation_accuracy": [], "test_accuracy": []}
            run["selected"]["epoch"] = run["test_best"]["epoch"] = 0
        path.write_text(json.dumps(arm))
    entries = {
        "finetune": {"curve": "constant"},
        "onecycle": {"curve": "onecycle"},
        "scaled": {"curve": "onecycle", "epochs": 0, "objective": "reconstruct"},
    }
    report = report_of(folder, ["l1", "random"], list(entries), entries)
    assert re.search(r"`scaled`\*{0,2} \| [^|]* \| 0 \|", render(report))
    write_tables(tmp_path / "tables", report)
    for each in SECTIONS:
        if each.figure and (found := each.find(report)) is not None:
            each.figure(found)
    write_curves(tmp_path / "curves", report.results)
    assert ",scaled," not in (tmp_path / "curves" / "l1.csv").read_text()


def test_the_answer_sets_the_crossed_comparison_beside_those_of_one_schedule(two):
    answer = section(page(two, ["l1", "random"], ["finetune", "onecycle"]), "Answer")
    assert "with `onecycle`, `random` is worse than `l1` (−1.00 [−1.00, −1.00] points)" in answer
    assert "Crossed: `random` + `onecycle` is better than `l1` + `finetune` (+1.00 [" in answer
    assert "mixes two changes, so it does not rank the pruning methods" in answer


def test_without_a_winner_the_page_says_so_and_names_the_rivals(two):
    set_accuracies(two, "l1", "onecycle", [0.95, 0.91, 0.90])
    answer = section(page(two, ["l1", "random"], ["finetune", "onecycle"]), "Answer")
    assert answer.startswith("**No schedule wins for `l1`; `onecycle` wins for `random`.**")
    assert "**no winner.** `onecycle` is highest with 92.00 ± 2.65 % (n = 3)" in answer
    assert "; the best may be `onecycle` or `finetune` (best set, 95 % confidence)." in answer


def test_a_lead_that_is_clear_at_one_side_only_is_undecided(two):
    """Leads of 1, 2 and 3 points: t = 3.46 between t(2, .95) = 2.92 and t(2, .975) = 4.30."""
    set_accuracies(two, "l1", "onecycle", [0.91, 0.93, 0.95])
    answer = section(page(two, ["l1", "random"], ["finetune", "onecycle"]), "Answer")
    assert "2.00 points above `finetune`, undecided (95 % interval −0.48 to +4.48)." in answer


def test_a_win_by_less_than_the_margin_matters_little(two):
    set_accuracies(two, "l1", "onecycle", [0.901, 0.911, 0.921])
    answer = section(page(two, ["l1", "random"], ["finetune", "onecycle"]), "Answer")
    assert "by 0.10 points (95 % interval +0.10 to +0.10), too little to matter." in answer


def test_identical_arms_compete_once_and_are_named(make_study):
    schedules = ["finetune", "onecycle", "scaled"]
    folder = make_study(["l1"], schedules)
    set_accuracies(folder, "l1", "finetune", [0.90, 0.91, 0.92])
    points = json.loads((folder / "arms/l1/onecycle.json").read_text())["points"]
    for name in ("onecycle", "scaled"):
        set_accuracies(folder, "l1", name, [0.92, 0.93, 0.94], start="final", points=points)
    answer = section(page(folder, ["l1"], schedules), "Answer")
    assert "`onecycle` **wins**" in answer
    assert "`scaled` is identical to `onecycle` and not counted again." in answer
    report = report_of(folder, ["l1"], schedules)
    assert report.winners("l1") == {"onecycle", "scaled"}


def test_one_replicate_claims_nothing(make_study):
    methods, schedules = ["l1", "random"], ["finetune", "onecycle"]
    text = page(make_study(methods, schedules, seeds=1), methods, schedules)
    answer = section(text, "Answer")
    assert "without a second seed there is no interval" in answer
    assert "which may be chance" in answer
    assert "**wins**" not in text.replace("**wins** only if", "")
    assert "±" not in text.replace("mean ± sample", "")
    assert "% interval" not in answer
    assert "nan" not in text.lower()
    assert "points from one replicate" in text


def test_a_choice_made_on_test_data_is_said(make_study):
    methods, schedules = ["l1", "random"], ["finetune", "onecycle"]
    with_split = page(make_study(methods, schedules), methods, schedules)
    without = page(make_study(methods, schedules, validation=False), methods, schedules)
    assert "on **validation** data" in with_split
    assert "on **test** data, because there is no validation split" in without
    assert "Selected" in with_split
    assert "Selected" not in without


def test_one_method_and_one_schedule_make_a_page(make_study):
    text = page(make_study(["l1"], ["finetune"]), ["l1"], ["finetune"])
    assert "Only one schedule was run, so there is nothing to compare." in text
    assert "pruning methods are not compared" in text
    assert "1 pruning method × 1 retraining schedule, 3 replicates each" in text


def test_a_best_baseline_leaves_nothing_to_cross(two):
    set_accuracies(two, "l1", "finetune", [0.97, 0.98, 0.99])
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    assert "The baseline schedule is the best one, so there is nothing to cross" in text
    assert "It is the baseline arm." in text


def test_arms_of_another_budget_have_no_rival(two):
    set_accuracies(two, "l1", "onecycle", [0.92, 0.93, 0.94], epochs=160)
    set_accuracies(two, "random", "onecycle", [0.92, 0.93, 0.94], epochs=160)
    answer = section(page(two, ["l1", "random"], ["finetune", "onecycle"]), "Answer")
    assert answer.startswith("**No two schedules have the same number of epochs")
    assert "without a rival of equal epochs: `finetune` (72 epochs)" in answer
    assert "`onecycle` (160 epochs) ends at 93.00 ± 1.00 %" in answer


def test_contests_of_several_budgets_are_counted_by_line(make_study):
    schedules = ["finetune", "onecycle", "scaled", "linear"]
    folder = make_study(["l1"], schedules)
    set_accuracies(folder, "l1", "finetune", [0.90, 0.91, 0.92])
    set_accuracies(folder, "l1", "onecycle", [0.92, 0.93, 0.94])
    set_accuracies(folder, "l1", "scaled", [0.90, 0.91, 0.92], epochs=40)
    set_accuracies(folder, "l1", "linear", [0.92, 0.93, 0.94], epochs=40)
    entries = {
        "finetune": {"curve": "a"},
        "onecycle": {"curve": "b"},
        "scaled": {"curve": "a", "epochs": 40},
        "linear": {"curve": "b", "epochs": 40},
    }
    text = page(folder, ["l1"], schedules, entries)
    assert "**`onecycle` wins 2 of 2 contests (one per pruning method and budget).**" in text
    assert "figures/budgets.svg" in section(text, "Accuracy against budget")
    set_accuracies(folder, "l1", "scaled", [0.95, 0.90, 0.92], epochs=40)
    text = page(folder, ["l1"], schedules, entries)
    assert "**`onecycle` wins 1 of 2 contests (one per pruning method and budget); 1 has no" in text
    set_accuracies(folder, "l1", "finetune", [0.95, 0.91, 0.92])
    text = page(folder, ["l1"], schedules, entries)
    assert "**No schedule wins any of 2 contests (one per pruning method and budget).**" in text


def test_an_ablation_has_its_section_and_its_sentence_in_the_answer(two):
    path = ["finetune", "onecycle"]
    text = page(two, ["l1", "random"], path, path=path)
    assert "figures/ablation.svg" in section(text, "One change at a time")
    assert "- **From `finetune` to `onecycle`** on `l1`: +2.00 [" in section(text, "Answer")
    assert "[ablation](tables/ablation.csv)" in text
    assert "One change at a time" not in page(two, ["l1", "random"], path)


def test_the_claims_of_the_literature_are_summed_up_in_the_answer(two):
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    assert "Of the literature's claims, " in section(text, "Answer")
    assert section(text, "Claims of the literature").count("\n1. ") == 1


def test_different_environments_are_a_warning_that_names_the_arm(two):
    methods, schedules = ["l1", "random"], ["finetune", "onecycle"]
    assert "All networks: device cpu, threads 2, torch 2.14.0." in page(two, methods, schedules)
    other = {"device": "NVIDIA H100", "torch": "2.14.0", "threads": 2}
    set_accuracies(two, "l1", "onecycle", [0.92, 0.93, 0.94], environment=other)
    text = section(page(two, methods, schedules), "Environment")
    assert "[!WARNING]" in text
    assert "> - `l1-onecycle`: device NVIDIA H100" in text
    assert "> - all others: device cpu" in text


def test_methods_that_prune_unequally_are_a_warning(two):
    path = two / "pruned/random.json"
    pruned = json.loads(path.read_text()) | {"parameters": 400000}
    path.write_text(json.dumps(pruned))
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    assert "`l1` keeps 86.2 % of the parameters, `random` 46.9 %" in text


def test_every_table_has_equal_columns_in_all_its_rows(two):
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_the_settings_that_differ_are_shown_where_there_are_any(two):
    report = report_of(two, ["l1", "random"], ["finetune", "onecycle"])
    rows = [("retrain.epochs", "8", "40"), ("prune.methods.odd", "–", "{a: x|y}")]
    text = section(render(report, rows), "Settings of this study")
    assert "| `retrain.epochs` | `8` | `40` |\n" in text
    assert "| `prune.methods.odd` | – | `{a: x\\|y}` |\n" in text
    assert "Settings of this study" not in render(report)


def test_fresh_arms_are_called_controls(make_study):
    schedules = ["finetune", "scratch_e"]
    assert "Arms that start fresh" in page(make_study(["l1"], schedules), ["l1"], schedules)
    assert "Arms that start fresh" not in page(
        make_study(["l1"], ["finetune"]), ["l1"], ["finetune"]
    )


def test_the_times_of_a_method_are_linked_where_they_are_asked_for(two):
    report = report_of(two, ["l1", "random"], ["finetune", "onecycle"])
    assert "(latency/" not in render(report)
    asked = render(report, timed=["l1", "random"])
    links = "[l1](latency/l1.csv), [random](latency/random.csv)"
    assert f" Milliseconds of a forward pass: {links}. Accuracy and" in asked


def test_the_accuracies_on_corrupted_images_are_linked_where_they_are_asked_for(two):
    report = report_of(two, ["l1", "random"], ["finetune", "onecycle"])
    assert "(corruptions/" not in render(report)
    asked = render(report, timed=["l1"], corrupted=["l1", "random"])
    links = "[l1](corruptions/l1.csv), [random](corruptions/random.csv)"
    assert f"(latency/l1.csv). Accuracy on corrupted images: {links}. Accuracy and" in asked


def test_the_page_has_what_to_do_then_the_arms_then_why(two):
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    titles = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert titles[:3] == ["Recommendation", "Every arm", "Answer"]


def test_what_is_folded_can_be_opened(two):
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    folds = re.findall(
        r"<details>\n<summary>[^<`]+</summary>\n\n.+?\n\n</details>", text, re.DOTALL
    )
    assert len(folds) == text.count("<details>") == text.count("</details>") >= 2


def test_there_are_no_gaps_in_the_page(two):
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    assert "\n\n\n" not in text
    assert text.endswith(".\n")
    assert not text.endswith("\n\n")


def test_tables_are_equal_bytes_when_written_twice(two, tmp_path):
    report = report_of(two, ["l1", "random"], ["finetune", "onecycle"])
    for name in ("one", "two"):
        write_tables(tmp_path / name, report)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    shown = [each for each in SECTIONS if each.table and each.find(report) is not None]
    written = sorted(shown, key=lambda section: section.name)
    assert {"arms", "claims", "crossed", "networks"} <= {section.name for section in written}
    assert names == [f"{section.name}.csv" for section in written]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


class FakeStage:
    """Reads from a tree and builds below a folder, as a guarded stage does."""

    def __init__(self, tree, folder):
        self.tree, self.folder = tree, folder
        self.params = {"retrain": {**tree["retrain"], "epochs": 9}}

    def read(self, key, kind):
        value = self.tree
        for part in key.split("."):
            value = value[part]
        return kind(**value) if kind in (Compare, Train) else kind(value)

    def output(self, path):
        return self.folder / path


def test_the_stage_removes_stale_arms_and_writes_all_that_the_page_links_to(
    make_study, tmp_path, monkeypatch
):
    make_study(["l1", "random"], ["finetune", "onecycle", "linear"])
    tree = {
        "compare": {"baseline": "finetune", "informed": "l1", "random": "random"},
        "prune": {"methods": {"l1": {}, "random": {}}, "iterative": {}},
        "train": read_yaml(DEFAULT)["train"],
        "latency": {},
        "corruptions": {},
        "retrain": {"schedules": {"finetune": {"curve": "a"}, "onecycle": {"curve": "b"}}},
    }

    @contextmanager
    def guarded(name):
        assert not (tmp_path / "reports/arms/l1/linear.json").exists()
        yield FakeStage(tree, tmp_path / "built")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compare, "guarded", guarded)
    monkeypatch.setattr(compare, "read_yaml", lambda *_: tree)
    compare.main()
    reports = tmp_path / "built/reports"
    text = (reports / "README.md").read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text)
    # three figures, seven tables and the folder of curves, at least
    assert len(links) >= 11
    assert all((reports / link).exists() for link in links)
    assert sorted(path.name for path in (reports / "curves").iterdir()) == ["l1.csv", "random.csv"]
    accuracy = json.loads((reports / "accuracy.json").read_text())
    assert sorted(accuracy) == ["l1-finetune", "l1-onecycle", "random-finetune", "random-onecycle"]
    assert "| `retrain.epochs` | – | `9` |" in text
    assert str(tmp_path) not in text


def test_the_table_of_winners_has_the_best_set_where_nobody_wins(two):
    methods, schedules = ["l1", "random"], ["finetune", "onecycle"]
    report = report_of(two, methods, schedules)
    rows = answer.table(answer.find(report)).set_index("method")
    assert rows.columns.tolist() == [
        *("epochs", "arms", "highest_mean", "winner", "best_set", "identical"),
    ]
    assert (rows.winner == "onecycle").all()
    assert (rows.best_set == "onecycle").all()
    set_accuracies(two, "l1", "onecycle", [0.90, 0.95, 0.91])
    rows = answer.table(answer.find(report_of(two, methods, schedules))).set_index("method")
    assert rows.winner["l1"] == "none"
    assert set(rows.best_set["l1"].split()) == {"finetune", "onecycle"}
