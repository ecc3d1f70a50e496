import math

import numpy as np
import pandas as pd
import pytest

from stages.params.compare import Compare
from stages.reporting.epochs import epoch_table, write_curves
from stages.reporting.findings import find
from stages.reporting.results import read_study
from stages.reporting.tables import (
    arms_table,
    baselines_table,
    crossed_table,
    fixed,
    paired_table,
    write_tables,
)

METHODS, SCHEDULES = ["l1", "random"], ["finetune", "onecycle"]
SETTINGS = Compare(baseline="finetune", careful="l1", random="random")


@pytest.fixture
def found(make_study):
    study = read_study(make_study(METHODS, SCHEDULES), METHODS, SCHEDULES)
    return find(study, SETTINGS, {name: {"curve": name} for name in SCHEDULES})


def test_every_arm_is_a_row_in_percent(found):
    table = arms_table(found).set_index(["method", "schedule"])
    assert len(table) == 4
    runs = found.study.arms["l1", "onecycle"].replicates
    accuracies = [100 * run.last.test.accuracy for run in runs]
    row = table.loc[("l1", "onecycle")]
    assert row["test_top1_percent_mean"] == pytest.approx(np.mean(accuracies))
    assert row["test_top1_percent_sd"] == pytest.approx(np.std(accuracies, ddof=1))
    # 735,712 of 853,018 parameters and 90.9 of 125.5 M MACs; 72 of 160 epochs
    assert row["parameters_kept_percent"] == pytest.approx(86.248, abs=1e-3)
    assert row["macs_kept_percent"] == pytest.approx(72.430, abs=1e-3)
    cost = row["retraining_macs_percent_of_dense_training"]
    assert cost == pytest.approx(0.45 * 72.430, abs=1e-3)


def test_the_difference_to_dense_is_paired_by_seed(found):
    row = arms_table(found).iloc[0]
    arm, dense = found.study.arms["l1", "finetune"], found.study.baselines["l1"].dense
    pairs = zip(arm.replicates, dense.replicates, strict=True)
    differences = [100 * (run.last.test.accuracy - point.test.accuracy) for run, point in pairs]
    assert row["difference_to_dense_points_mean"] == pytest.approx(np.mean(differences))


def test_the_baseline_has_no_row_among_the_comparisons_with_it(found):
    table = paired_table(found)
    assert table["schedule"].tolist() == ["onecycle", "onecycle"]
    assert (table["difference_points_low"] < table["difference_points_mean"]).all()


def test_masked_weights_count_as_removed(found):
    study = found.study
    masked = study.baselines["l1"].model_copy(
        update={
            "granularity": "weight",
            "pruned": study.baselines["l1"].pruned.model_copy(
                update={"parameters": 853018, "nonzero": 85302}
            ),
        }
    )
    changed = type(study)(study.arms, {"l1": masked})
    pruned = baselines_table(changed).set_index("network").loc["pruned"]
    assert pruned["parameters_kept_percent"] == pytest.approx(10, abs=1e-3)


def test_crossed_rows_agree_with_their_cells(found):
    table = crossed_table(found.study, found.crossed)
    kinds = ["same_schedule_baseline", "same_schedule_best", "crossed"]
    assert table["comparison"].tolist() == kinds
    difference = table["first_test_top1_percent_mean"] - table["second_test_top1_percent_mean"]
    assert difference.to_numpy() == pytest.approx(table["difference_points_mean"].to_numpy())


def test_no_crossed_comparison_leaves_a_header():
    assert len(crossed_table(None, None)) == 0
    assert "difference_points_low" in crossed_table(None, None).columns


def test_floats_have_fixed_decimals_and_no_value_is_empty():
    table = fixed(pd.DataFrame({"name": ["a", "b", "c"], "x": [1.5, math.nan, -0.0001]}))
    assert table["x"].tolist() == ["1.500", "", "0.000"]


def test_tables_are_equal_bytes_when_written_twice(found, tmp_path):
    for name in ("one", "two"):
        write_tables(tmp_path / name, found)
    names = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert names == [
        "arms.csv",
        "baselines.csv",
        "claims.csv",
        "crossed.csv",
        "paired.csv",
        "winners.csv",
    ]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_an_arm_by_epoch_has_its_learning_rates_and_mean_accuracies(found):
    arm = found.study.arms["l1", "onecycle"]
    table = epoch_table(arm)
    assert table["epoch"].tolist() == list(range(1, 73))
    last = [100 * run.history.test_accuracy[-1] for run in arm.replicates]
    assert table["test_accuracy"].iloc[-1] == pytest.approx(np.mean(last))
    held_out = [100 * run.history.validation_accuracy[0] for run in arm.replicates]
    assert table["validation_accuracy"].iloc[0] == pytest.approx(np.mean(held_out))
    rates = table["lr"].astype(float)
    assert rates.idxmax() == 7  # of the middles of epochs, 7.5 is nearest to the peak at 7.2
    assert rates.max() == pytest.approx(0.1, rel=0.02)


def test_without_validation_its_column_is_empty(make_study, tmp_path):
    study = read_study(make_study(["l1"], ["finetune"], validation=False), ["l1"], ["finetune"])
    write_curves(tmp_path / "curves", study)
    table = pd.read_csv(tmp_path / "curves/l1-finetune.csv")
    assert table.columns.tolist() == ["epoch", "lr", "test_accuracy", "validation_accuracy"]
    assert table["validation_accuracy"].isna().all()
    assert (table["lr"] == 0.001).all()
