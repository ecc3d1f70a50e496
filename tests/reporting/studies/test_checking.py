"""What a kept study may not hold, each a line by file and row."""

import shutil

import numpy as np
import pandas as pd
import pytest

from stages.reporting.studies.checking import cells, faults
from stages.reporting.studies.kept import read_kept
from tests.reporting.helpers import diverge

ARMS = {
    ("l1", "finetune"): [0.91, 0.912, 0.911, 0.915],
    ("l1", "onecycle"): [0.95, 0.951, 0.952, 0.953],
    ("random", "finetune"): [0.90, 0.921, 0.911, 0.913],
    ("random", "onecycle"): [0.951, 0.949, 0.952, 0.9551],
}
ORIGINS = "method,schedule,environment,lock_entry\n" + "".join(
    f'{method},{schedule},"{{""device"": ""cpu""}}",0123456789abcdef\n' for method, schedule in ARMS
)


@pytest.fixture(scope="module")
def original(keep_once):
    return keep_once("mine", ARMS)


@pytest.fixture
def study(original, tmp_path):
    """A kept study that may be damaged."""
    folder = shutil.copytree(original, tmp_path / "mine")
    (folder / "tables/origins.csv").write_text(ORIGINS)
    return folder


def found(folder, seeds=4):
    tables = folder / "tables"
    lines = cells(tables)
    if not lines:
        study = read_kept(tables, folder / "params.yaml", "mine", "")
        lines = faults(study, tables, range(seeds))
    return [line.replace(f"{folder}/", "") for line in lines]


def set_cell(folder, table, line, column, value):
    path = folder / f"tables/{table}.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    frame.loc[line - 2, column] = value
    frame.to_csv(path, index=False)


def test_a_whole_study_has_no_fault(study):
    assert found(study) == []


@pytest.mark.parametrize("epochs", [1.5, 4 / 3, 0])
def test_nor_has_one_whose_rounds_differ_or_that_is_reconstructed_alone(epochs, keep_study):
    folder = keep_study("mine", ARMS, {"finetune": 2, "onecycle": epochs})
    assert found(folder) == []


def test_nor_has_one_that_was_kept_before_origins_were(study):
    (study / "tables/origins.csv").unlink()
    assert found(study) == []


CELLS = [
    ("replicates", 3, "test_top1_percent", "101.2",
     "is '101.2'; it should be a number from 0 to 100, or empty"),
    ("replicates", 3, "dense_test_top1_percent", "", "is ''; it should be a number from 0 to 100"),
    ("replicates", 2, "test_loss", "-0.1", "it should be a number of at least 0, or empty"),
    ("replicates", 5, "test_loss", "inf", "is 'inf'; it should be a number of at least 0"),
    ("replicates", 5, "epochs", "many", "is 'many'; it should be a number of at least 0"),
    ("replicates", 4, "seed", "9", "seed is 9; params.yaml has 0 to 3"),
    ("replicates", 4, "seed", "1", "it has the arm and the seed of line 3"),
    ("replicates", 4, "epochs", "71", "epochs is 71, but 72 in line 2"),
    ("replicates", 6, "dense_test_top1_percent", "50.000", "but 93.400 in line 2"),
    ("replicates", 2, "diverged_in_epoch", "3", "a replicate that diverged has none"),
    ("replicates", 2, "test_top1_percent", "", "test_top1_percent is empty; only a replicate"),
    ("replicates", 2, "test_top1_percent", "90.000", None),
    ("arms", 2, "test_top1_percent_mean", "91.210", "is 91.210; the replicates give 91.2"),
    ("arms", 2, "test_top1_percent_sd", "", "is empty; the replicates give 0.216"),
    ("arms", 3, "difference_to_baseline_points_low", "3.000", "the replicates give 3.745"),
    ("arms", 2, "difference_to_baseline_points_low", "0.000", "the replicates give nothing"),
    ("arms", 3, "difference_to_dense_points_high", "9.900", "the replicates give"),
    ("arms", 2, "replicates", "5", "replicates is 5; the replicates give 4"),
    ("arms", 2, "diverged", "1", "diverged is 1; the replicates give 0"),
    ("arms", 2, "macs_kept_percent", "-3", "it should be a number of at least 0"),
    ("arms", 3, "schedule", "finetune", "it has the arm of line 2"),
    ("paired", 2, "verdict", "worse", "verdict is worse; the replicates give better"),
    ("paired", 2, "verdict", "best", "it should match better|same|worse|undecided"),
    ("paired", 2, "difference_points_sd", "1.000", "the replicates give 0.129"),
    ("paired", 2, "baseline", "onecycle", "is onecycle; params.yaml makes it finetune"),
    ("paired", 2, "confidence_percent", "90.000", "the replicates give 95"),
    ("winners", 2, "winner", "none", "winner is none; the replicates give onecycle"),
    ("winners", 2, "highest_mean", "finetune", "highest_mean is finetune; the replicates give"),
    ("winners", 2, "epochs", "9", "no arm of this method and budget finished"),
    ("winners", 2, "method", "l2", "method is l2, which params.yaml has not; valid: l1, random"),
    ("origins", 2, "lock_entry", "0123", "lock_entry is '0123'; it should match"),
    ("origins", 3, "environment", "cpu", "environment is 'cpu'; it should be a JSON object"),
    ("origins", 3, "environment", "{cpu}", "it should be a JSON object"),
    ("origins", 3, "environment", '["cpu"]', "it should be a JSON object"),
    ("origins", 3, "schedule", "one", "schedule is one, which params.yaml has not; valid: "),
]  # fmt: skip


@pytest.mark.parametrize(("table", "line", "column", "value", "told"), CELLS)
def test_a_wrong_cell_is_told_by_file_and_line(study, table, line, column, value, told):
    set_cell(study, table, line, column, value)
    lines = found(study)
    assert lines
    assert all(each.startswith("tables/") for each in lines)
    if told:
        assert lines[0].startswith(f"tables/{table}.csv: line {line}: ")
        assert told in lines[0]


def test_a_value_that_was_changed_is_told_by_every_statistic_that_it_moves(study):
    set_cell(study, "replicates", 7, "test_top1_percent", "90.000")
    lines = found(study)
    moved = {line.split(": ")[2].split(" is ")[0] for line in lines}
    assert {"test_top1_percent_mean", "difference_points_mean"} <= moved
    assert not any("line 2: " in line and "arms.csv" in line for line in lines)


@pytest.mark.parametrize("table", ["replicates", "arms", "paired", "origins"])
def test_a_missing_row_is_told(study, table):
    path = study / f"tables/{table}.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    [only] = found(study)
    seed = ", seed 3" if table == "replicates" else ""
    assert only == f"tables/{table}.csv: has no row of random, onecycle{seed}"


def test_too_few_replicates_are_told(study):
    lines = found(study, seeds=5)
    assert len(lines) == 4
    assert lines[0] == "tables/replicates.csv: has no row of l1, finetune, seed 4"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no column method"),
        ("method,schedule\nl1,finetune\n", "has no column baseline"),
        (None, "missing"),
        ('"', "not such a table"),
    ],
)
def test_another_table_is_told(study, text, told):
    path = study / "tables/paired.csv"
    path.unlink()
    if text is not None:
        path.write_text(text)
    [only] = found(study)
    assert only.startswith("tables/paired.csv: ")
    assert told in only


def test_a_row_of_too_many_cells_is_told(study):
    path = study / "tables/winners.csv"
    path.write_text(path.read_text() + "l1,72\n")
    [only] = found(study)
    assert only == "tables/winners.csv: line 4: has 2 cells; it should have 7"


def test_an_arm_that_diverged_is_no_fault_and_its_numbers_would_be(keep_study):
    gone = lambda reports: diverge(reports, "l1", "onecycle", [2])  # noqa: E731
    folder = keep_study("mine", ARMS, diverging=gone)
    assert found(folder) == []
    set_cell(folder, "arms", 3, "test_top1_percent_mean", "95.0")
    assert found(folder) == [
        "tables/arms.csv: line 3: test_top1_percent_mean is 95.0; the replicates give nothing"
    ]


def test_rounded_values_are_never_taken_for_a_fault(keep_study):
    """Over studies of random accuracies, of few and of many replicates."""
    chance = np.random.default_rng(0)
    for number, n in enumerate((1, 2, 2, 3, 8, 20)):
        arms = {key: list(0.9 + chance.normal(0, 0.01, n).round(6)) for key in ARMS}
        assert found(keep_study(f"study_{number}", arms), n) == []
