from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stages.pipeline.fault import Fault
from stages.reporting.studies.kept import read_kept
from stages.reporting.studies.roles import cases
from stages.statistics.contests import contest
from stages.statistics.estimates import paired
from stages.statistics.verdicts import Levels, verdict
from tests.reporting.helpers import diverge

ARMS = {
    ("l1", "finetune"): [0.91, 0.912, 0.911, 0.915],
    ("l1", "onecycle"): [0.95, 0.951, 0.952, 0.953],
    ("random", "finetune"): [0.90, 0.921, 0.911, 0.913],
    ("random", "onecycle"): [0.951, 0.949, 0.952, 0.9551],
}


def read(folder):
    return read_kept(folder / "tables", folder / "params.yaml", "mine", "mine/README.md")


def test_a_study_comes_back_from_its_files(keep_study):
    study = read(keep_study("mine", ARMS))
    assert (study.title, study.data, study.network) == ("What `mine` is", "digits", "resnet8")
    assert study.compare.baseline == "finetune"
    runs = study.tables["replicates"]
    dense = runs.dense_test_top1_percent[runs.seed == 1].iloc[0]
    [case] = [case for case in cases([study]) if case.method == "l1"]
    row = case.scores.loc[1] + dense
    assert row.to_dict() == pytest.approx({"finetune": 91.2, "onecycle": 95.1}, abs=0.001)


def test_schedules_that_differ_in_epochs_alone_are_one_line(keep_study):
    entries = {"finetune": {"curve": "linear"}, "scaled": {"curve": "scaled"}}
    entries["lr_rewind"] = {"curve": "linear", "epochs": 9}
    arms = {("l1", name): [0.9, 0.91] for name in entries}
    folder = keep_study("mine", arms, {"finetune": 5, "scaled": 5, "lr_rewind": 9}, entries)
    assert read(folder).line_of == {
        "finetune": "finetune", "lr_rewind": "finetune", "scaled": "scaled"
    }  # fmt: skip


def test_a_name_that_ends_with_its_budget_is_joined_without_it(keep_study):
    study = read(keep_study("mine", ARMS))
    entries = {"onecycle_8": {"curve": "onecycle", "epochs": 8}, "finetune": {"curve": "constant"}}
    assert replace(study, schedules=entries).line_of == {
        "onecycle_8": "onecycle", "finetune": "finetune"
    }  # fmt: skip
    both = {**entries, "onecycle": {"curve": "onecycle", "max_lr": 0.05}}
    assert replace(study, schedules=both).line_of["onecycle_8"] == "onecycle_8"
    unlike = {"onecycle_8": entries["onecycle_8"],
              "onecycle_14": {"curve": "onecycle", "max_lr": 0.05, "epochs": 14}}  # fmt: skip
    assert [*replace(study, schedules=unlike).line_of.values()] == ["onecycle_8", "onecycle_14"]
    other = {"onecycle_9": {"curve": "onecycle", "epochs": 8}}
    assert replace(study, schedules=other).line_of == {"onecycle_9": "onecycle_9"}


def test_a_replicate_that_diverged_has_no_score(keep_study):
    gone = lambda reports: diverge(reports, "l1", "onecycle", [2])  # noqa: E731
    informed, random = cases([read(keep_study("mine", ARMS, diverging=gone))])
    assert np.isnan(informed.scores.onecycle[2])
    assert informed.scores.onecycle.isna().sum() == 1
    assert informed.diverged("onecycle")
    assert not informed.diverged("finetune")
    assert not random.diverged("onecycle")


def test_every_verdict_can_be_computed_again_from_the_replicates(keep_study):
    """By those of replicates.csv and the arms' budgets alone, with scipy's rules of the report."""
    study = keep_study("mine", ARMS | {("l1", "scaled"): [0.9502, 0.9508, 0.9521, 0.9531]}
                       | {("random", "scaled"): [0.9402, 0.9608, 0.9421, 0.9601]})  # fmt: skip
    tables = {
        path.stem: pd.read_csv(path, keep_default_na=False) for path in study.glob("tables/*.csv")
    }
    runs = tables["replicates"].set_index(["method", "schedule", "seed"])
    runs = runs.test_top1_percent.astype(float)
    found = 0
    for row in tables["paired"].itertuples():
        value = paired(runs[row.method, row.schedule], runs[row.method, row.baseline], 0.95)
        assert row.verdict == verdict(value, 0.5, Levels())
        found += 1
    for row in tables["crossed"].itertuples():
        ours, theirs = (runs[tuple(arm.split("-"))] for arm in (row.first, row.second))
        assert row.verdict == verdict(paired(ours, theirs, 0.95), 0.5, Levels())
        found += 1
    for row in tables["winners"].itertuples():
        scores = {name: runs[row.method, name] for name in ("finetune", "onecycle", "scaled")}
        held = contest(scores, 0.95)
        assert (row.highest_mean, row.winner) == (held.best, held.winner or "none")
        assert row.best_set.split() == ([held.winner] if held.winner else [*held.best_set])
        found += 1
    assert found == 4 + 3 + 2


@pytest.mark.parametrize(
    ("file", "edit", "told"),
    [
        ("tables/replicates.csv", None, "tables/replicates.csv: missing; another version wrote it"),
        ("tables/winners.csv", ("best_set", "not_beaten"), "has no column best_set; another"),
        ("tables/arms.csv", (",72,", ",many,"), "tables/arms.csv: not such a table (could not"),
        ("tables/claims.csv", ("\n5,", "\n6,"), "claims are 1 to 5; another version wrote it"),
        ("tables/claims.csv", ("claim,", "<<<<<<< HEAD\nclaim,"), "claims.csv: "),
        ("tables/arms.csv", ("l1,onecycle", "l1,twocycle"), "twocycle is no schedule of "),
        ("params.yaml", None, "params.yaml: no such file"),
        ("params.yaml", ("seed: 0", "seed: ["), "params.yaml: not valid YAML"),
        ("params.yaml", ("source:", "sourced:"), "params.yaml: data.source is missing"),
        ("params.yaml", ("factory: resnet8", "factory: 8"), "params.yaml: model.factory is 8"),
        ("params.yaml", ("confidence: 0.95", "confidence: 2"), "compare.confidence is 2"),
        ("params.yaml", ("margin:", "margins:"), "compare.margins is no known key"),
        ("params.yaml", ("schedules:", "schedule:"), "retrain.schedules is missing"),
    ],
)
def test_what_is_missing_or_damaged_or_older_is_one_line(keep_study, file, edit, told):
    path = keep_study("mine", ARMS) / file
    text = path.read_text()
    path.unlink()
    if edit:
        assert edit[0] in text
        path.write_text(text.replace(*edit))
    with pytest.raises(Fault) as fault:
        read(path.parents[len(file.split("/")) - 1])
    assert told in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.filterwarnings("ignore:The 'future.infer_string' option is deprecated")
def test_a_claim_without_a_comparison_has_none_in_pandas_2_either(keep_study):
    folder = keep_study("mine", ARMS)
    with pd.option_context("future.infer_string", False):  # the strings of pandas 2
        rows = read(folder).tables["claims"]
        missing = rows.verdict.str.startswith("cannot be decided: it takes")
        assert missing.any()
        assert (rows.comparison.isna() == missing).all()
        assert rows.epochs[missing].isna().all()
