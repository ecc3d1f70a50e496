import numpy as np
import pandas as pd
import pytest

from stages.reporting.sections.epochs import epoch_table, write_curves
from stages.results.files import read_results
from tests.reporting.helpers import report_of


def test_an_arm_by_epoch_has_its_learning_rates_and_mean_accuracies(make_study):
    report = report_of(make_study(["l1"], ["onecycle"]), ["l1"], ["onecycle"])
    arm = report.results.arms["l1", "onecycle"]
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
    folder = make_study(["l1"], ["finetune"], validation=False)
    write_curves(tmp_path / "curves", read_results(folder, ["l1"], ["finetune"]))
    table = pd.read_csv(tmp_path / "curves/l1-finetune.csv")
    assert table.columns.tolist() == ["epoch", "lr", "test_accuracy", "validation_accuracy"]
    assert table["validation_accuracy"].isna().all()
    assert (table["lr"] == 0.001).all()
