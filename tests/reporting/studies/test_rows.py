"""reports/results.csv, from studies whose numbers are known."""

import hashlib
import json

import pandas as pd
import pytest

from stages.pipeline.fault import Fault
from stages.reporting.studies.origins import digest, origins
from stages.reporting.studies.rows import COLUMNS, rows
from stages.reporting.tables import as_csv
from tests.reporting.helpers import diverge
from tests.reporting.studies.conftest import ENTRY

ARMS = {
    ("l1", "finetune"): [0.91, 0.912],
    ("l1", "onecycle"): [0.95, 0.951],
    ("random", "finetune"): [0.90, 0.921],
    ("random", "onecycle"): [0.951, 0.949],
}


def test_every_replicate_of_every_study_is_a_row(read_study):
    studies = [read_study("one", ARMS), read_study("two", ARMS, seed=7)]
    found = rows(studies)
    assert [*found.columns] == [*COLUMNS]
    assert found.study.tolist() == ["one"] * 8 + ["two"] * 8
    assert not found.duplicated(["study", "method", "schedule", "seed"]).any()
    row = found.iloc[3]
    assert (row.method, row.schedule, row.seed) == ("l1", "onecycle", 1)
    assert row.test_top1_percent == 95.1
    assert (row.dense_epochs, row.epochs, row.rounds) == (160, 72, 1)
    assert (row.start, row.curve, row.schedule_options) == ("final", "onecycle", "{}")
    assert json.loads(row.method_options) == ENTRY | {"criterion": "l1"}
    assert (row.data, row.network) == ("digits", "resnet8")


def test_options_are_what_no_other_column_has(read_study):
    entries = {"finetune": {"curve": "constant", "lr": 0.01, "epochs": 72, "start": "final"}}
    data = {"source": "mnist1d", "root": "/home/me", "validation": 0.1, "train_limit": 99}
    model = {"code": "net.py", "factory": "resnet8", "options": {"width": 4}}
    study = read_study("one", {("l1", "finetune"): [0.9]}, None, entries, data=data, model=model)
    [row] = rows([study]).to_dict("records")
    assert row["schedule_options"] == '{"lr": 0.01}'
    assert row["data_options"] == '{"train_limit": 99, "validation": 0.1}'
    assert row["network_options"] == '{"width": 4}'


def test_a_replicate_that_diverged_is_a_row_without_measures(read_study):
    gone = lambda reports: diverge(reports, "l1", "onecycle", [1])  # noqa: E731
    found = rows([read_study("one", ARMS, diverging=gone)])
    [row] = found[found.diverged_in_epoch.notna()].to_dict("records")
    assert (row["schedule"], row["seed"]) == ("onecycle", 1)
    assert pd.isna(row["test_top1_percent"])
    assert row["dense_test_top1_percent"] > 0


def test_the_same_studies_are_the_same_bytes(read_study):
    study = read_study("one", ARMS)
    text = as_csv(rows([study]))
    assert text == as_csv(rows([study]))
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert as_csv(rows([])) == ",".join(COLUMNS) + "\n"


def test_a_study_that_says_what_made_its_arms(keep_study, tmp_path):
    from stages.reporting.studies.kept import read_kept

    folder = keep_study("one", ARMS)
    made = pd.DataFrame([("l1", "onecycle", '{"device": "cpu"}', "0123456789abcdef")])
    made.columns = ["method", "schedule", "environment", "lock_entry"]
    (folder / "tables/origins.csv").write_text(as_csv(made))
    found = rows([read_kept(folder / "tables", folder / "params.yaml", "one", "")])
    ours = found[(found.method == "l1") & (found.schedule == "onecycle")]
    assert ours.environment.tolist() == ['{"device": "cpu"}'] * 2
    assert ours.lock_entry.tolist() == ["0123456789abcdef"] * 2
    assert found.lock_entry.notna().sum() == 2


@pytest.mark.parametrize("text", ["{}", "[]", '{"environment": null}', "{"])
def test_an_arm_that_does_not_say_where_it_was_trained_is_a_line(tmp_path, text):
    path = tmp_path / "arms/l1/onecycle.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    with pytest.raises(Fault, match=r"^\S*/arms/l1/onecycle\.json: (has no|not valid JSON)"):
        origins(tmp_path, {})


@pytest.mark.parametrize("stage", ["retrain", "iterate"])
def test_what_made_an_arm_is_its_environment_and_its_entry_of_the_lock(tmp_path, stage):
    for name in ("finetune", "onecycle"):
        path = tmp_path / f"arms/l1/{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"environment": {"torch": "2", "device": "cpu"}}))
    entry = {"params": {"params.yaml": {"seed": 0}}, "cmd": "python -m stages.retrain"}
    found = origins(tmp_path, {f"{stage}@l1-onecycle": entry, "evaluate@l1-finetune": entry})
    text = '{"cmd": "python -m stages.retrain", "params": {"params.yaml": {"seed": 0}}}'
    expected = hashlib.sha256(text.encode()).hexdigest()[:16]
    environment = '{"device": "cpu", "torch": "2"}'
    assert found.to_numpy().tolist() == [
        ["l1", "finetune", environment, ""],
        ["l1", "onecycle", environment, expected],
    ]
    assert digest(entry | {"cmd": "python -m stages.iterate"}) != expected
