import json
import re
from contextlib import contextmanager

import pytest

from stages import compare
from stages.params.compare import Compare
from stages.reporting.findings import find
from stages.reporting.markdown import listed, signed
from stages.reporting.report import report
from stages.reporting.results import read_study


def page(folder, methods, schedules, entries=None, **settings):
    names = {"baseline": schedules[0], "careful": methods[0], "random": methods[-1]}
    entries = entries or {name: {"curve": name} for name in schedules}
    found = find(read_study(folder, methods, schedules), Compare(**names | settings), entries)
    return report(found)


def set_accuracies(folder, method, schedule, values, **changes):
    path = folder / "arms" / method / f"{schedule}.json"
    arm = {**json.loads(path.read_text()), **changes}
    for run, value in zip(arm["replicates"], values, strict=True):
        run["last"]["test"]["accuracy"] = value
        run["last"]["validation"] = run["last"]["validation"] and {"accuracy": value, "loss": 1.0}
    path.write_text(json.dumps(arm))


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


def test_the_answer_sets_the_crossed_comparison_beside_those_of_one_schedule(two):
    answer = section(page(two, ["l1", "random"], ["finetune", "onecycle"]), "Answer")
    assert "with `onecycle`, `random` is behind `l1` (−1.00 [−1.00, −1.00] points)" in answer
    assert "Crossed: `random` + `onecycle` is ahead of `l1` + `finetune` (+1.00 [" in answer
    assert "mixes two changes, so it does not rank the pruning methods" in answer


def test_without_a_winner_the_page_says_so_and_names_the_rivals(two):
    set_accuracies(two, "l1", "onecycle", [0.95, 0.91, 0.90])
    answer = section(page(two, ["l1", "random"], ["finetune", "onecycle"]), "Answer")
    assert answer.startswith("**No schedule wins for `l1`; `onecycle` wins for `random`.**")
    assert "**no winner.** `onecycle` is highest with 92.00 ± 2.65 % (n = 3)" in answer
    assert "but cannot be told apart from `finetune` (95 % intervals)." in answer


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


def test_a_choice_made_on_test_data_is_told(make_study):
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


def test_arms_of_another_budget_are_told_to_have_no_rival(two):
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
    assert "figures/budget.svg" in section(text, "Accuracy against budget")
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
    assert section(text, "The claims of the literature").count("\n1. ") == 1


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
    path = two / "baselines/random.json"
    baseline = json.loads(path.read_text())
    baseline["pruned"]["parameters"] = 400000
    path.write_text(json.dumps(baseline))
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    assert "`l1` keeps 86.2 % of the parameters, `random` 46.9 %" in text


def test_every_table_has_equal_columns_in_all_its_rows(two):
    text = page(two, ["l1", "random"], ["finetune", "onecycle"])
    for block in re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1


def test_numbers_and_lists_read_as_in_print():
    assert [signed(x) for x in (0.254, -1.0, -0.001)] == ["+0.25", "−1.00", "0.00"]
    assert [listed(list(x)) for x in ("a", "ab", "abc")] == ["a", "a and b", "a, b and c"]


class FakeStage:
    """Reads from a tree and builds below a folder, as a guarded stage does."""

    def __init__(self, tree, folder):
        self.tree, self.folder = tree, folder

    def read(self, key, kind):
        value = self.tree
        for part in key.split("."):
            value = value[part]
        return kind(**value) if kind is Compare else kind(value)

    def output(self, path):
        return self.folder / path


def test_the_stage_removes_stale_arms_and_writes_all_that_the_page_links_to(
    make_study, tmp_path, monkeypatch
):
    make_study(["l1", "random"], ["finetune", "onecycle", "linear"])
    tree = {
        "compare": {"baseline": "finetune", "careful": "l1", "random": "random"},
        "prune": {"methods": {"l1": {}, "random": {}}, "iterative": {}},
        "retrain": {"schedules": {"finetune": {"curve": "a"}, "onecycle": {"curve": "b"}}},
    }

    @contextmanager
    def guarded(name):
        assert not (tmp_path / "reports/arms/l1/linear.json").exists()
        yield FakeStage(tree, tmp_path / "built")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compare, "guarded", guarded)
    monkeypatch.setattr(compare, "read_yaml", lambda: tree)
    compare.main()
    reports = tmp_path / "built/reports"
    text = (reports / "README.md").read_text()
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert len(links) == 9
    assert all((reports / link).is_file() for link in links)
    assert len(list((reports / "curves").iterdir())) == 4
    assert str(tmp_path) not in text
