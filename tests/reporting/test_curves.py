import numpy as np
import pandas as pd
import pytest

from stages.reporting.curves import epoch_table, write_curves
from stages.reporting.sections import epochs
from stages.results.files import read_results
from tests.reporting.helpers import change, report_of


def test_an_arm_by_epoch_has_its_learning_rates_and_mean_accuracies(make_study):
    report = report_of(make_study(["l1"], ["onecycle"]), ["l1"], ["onecycle"])
    arm = report.results.arms["l1", "onecycle"]
    table = epoch_table(arm)
    assert table["epoch"].tolist() == list(range(1, 73))
    last = [100 * run.history.test_accuracy[-1] for run in arm.replicates]
    assert table["test_accuracy"].iloc[-1] == pytest.approx(np.mean(last))
    assert table[["lowest", "highest"]].iloc[-1].tolist() == pytest.approx([min(last), max(last)])
    held_out = [100 * run.history.validation_accuracy[0] for run in arm.replicates]
    assert table["validation_accuracy"].iloc[0] == pytest.approx(np.mean(held_out))
    rates = table["lr"].astype(float)
    assert rates.idxmax() == 7  # of the middles of epochs, 7.5 is nearest to the peak at 7.2
    assert rates.max() == pytest.approx(0.1, rel=0.02)


def test_the_last_of_unequal_rounds_is_drawn_whole(make_study):
    """A soup of 3 that shares 8 epochs among 3 rounds has 6, 9 and 9: of a mean of 8, 9 at last."""
    folder = make_study(["l1"], ["onecycle"])
    whole = report_of(folder, ["l1"], ["onecycle"]).results.arms["l1", "onecycle"]
    change(folder, "l1", "onecycle", epochs=whole.epochs - 1, rounds=3)
    report = report_of(folder, ["l1"], ["onecycle"])
    arm = report.results.arms["l1", "onecycle"]
    assert arm.last_epochs == 72
    pd.testing.assert_frame_equal(epoch_table(arm), epoch_table(whole))
    epochs.figure(report)


def test_a_method_has_one_file_and_without_validation_an_empty_column(make_study, tmp_path):
    methods, schedules = ["l1", "random"], ["onecycle", "finetune"]
    folder = make_study(methods, schedules, validation=False)
    write_curves(tmp_path / "curves", read_results(folder, methods, schedules))
    assert sorted(path.stem for path in (tmp_path / "curves").iterdir()) == methods
    table = pd.read_csv(tmp_path / "curves/l1.csv")
    assert table["schedule"].tolist() == ["onecycle"] * 72 + ["finetune"] * 72
    measured = ["test_accuracy", "lowest", "highest", "validation_accuracy", "lr"]
    assert table.columns.tolist() == ["schedule", "epoch", *measured]
    assert table["validation_accuracy"].isna().all()
    assert (table["lr"][72:] == 0.001).all()
