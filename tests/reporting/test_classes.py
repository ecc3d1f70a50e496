import json

import pytest
from scipy import stats

from stages.reporting.sections.classes import find, table, text
from tests.reporting.helpers import change, count_images, diverge, report_of

METHODS, SCHEDULES = ["l1"], ["finetune", "onecycle"]


@pytest.fixture
def study(make_study):
    """Of 100 cats and 100 dogs the dense network gets 90 each; onecycle loses 1 to 3 dogs."""
    folder = make_study(METHODS, SCHEDULES)
    change(folder, "l1", "finetune", test=[0.5] * 3)
    change(folder, "l1", "onecycle", test=[0.9] * 3)
    count_images(folder)
    dense, path = folder / "dense.json", folder / "arms/l1/onecycle.json"
    counts = [[90, 90, 0]] * 3, [[90, 89, 0], [91, 88, 0], [92, 87, 0]]
    for file, right in zip((dense, path), counts, strict=True):
        record = json.loads(file.read_text())
        for run, numbers in zip(record["replicates"], right, strict=True):
            run["class_correct"] = numbers
        file.write_text(json.dumps(record))
    return folder


def test_differences_to_the_dense_network_are_paired_and_hold_for_all_classes(study):
    """Dogs: -1, -2 and -3 points, sd 1; two classes have images, so each is at 97.5 %."""
    found = find(report_of(study, METHODS, SCHEDULES))
    cat, dog = found.best["l1"]
    assert (cat.name, dog.name, dog.images) == ("cat", "dog", 100)
    assert (cat.difference.mean, dog.difference.mean) == pytest.approx((1, -2))
    half = stats.t.ppf(1 - 0.0125, 2) / 3**0.5
    assert (dog.difference.low, dog.difference.high) == pytest.approx((-2 - half, -2 + half))


def test_the_most_harmed_class_comes_first_and_one_without_images_not_at_all(study):
    page = text(find(report_of(study, METHODS, SCHEDULES)))
    rows = [line for line in page.splitlines() if line.startswith("| `l1`")]
    assert [row.split(" | ")[2] for row in rows] == ["`dog`", "`cat`"]
    assert "| `l1` | `onecycle` | `dog` | 100 | 90.00 ± 0.00 | 88.00 ± 1.00 | −2.00 [" in rows[0]
    assert "owl" not in page


def test_every_class_of_every_arm_is_in_the_table(study):
    rows = table(find(report_of(study, METHODS, SCHEDULES)))
    assert rows[["schedule", "class"]].to_numpy().tolist() == [
        ["finetune", "cat"],
        ["finetune", "dog"],
        ["onecycle", "cat"],
        ["onecycle", "dog"],
    ]
    assert rows["difference_to_dense_points_mean"].tolist() == pytest.approx([-40, -40, 1, -2])


def test_an_arm_that_diverged_has_no_classes(study):
    diverge(study, "l1", "onecycle", [1])
    assert set(table(find(report_of(study, METHODS, SCHEDULES))).schedule) == {"finetune"}


def test_records_that_count_no_classes_show_nothing(make_study):
    assert find(report_of(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES)) is None
