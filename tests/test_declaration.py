from pathlib import Path

import pytest

from stages.declaration import Declaration, declared
from stages.fault import Fault

DVC = """
stages:
  train:
    cmd: python -m stages.train
    deps: [data, "${model.code}", "${data.root}/sub"]
    params: [seed, model.options]
    outs:
      - models/dense
      - models/log.json: {cache: false}
    metrics:
      - metrics.json: {cache: false}
    plots: [plots]
  retrain:
    matrix:
      method: ${prune.methods}
      schedule: ${retrain.schedules}
    cmd: python -m stages.retrain
    deps: ["models/${item.method}/masks"]
    params: [seed, "retrain.schedules.${item.schedule}"]
    outs: ["models/${item.method}/${item.schedule}"]
  validate:
    cmd: python -m stages.validate
    params:
      - params.yaml:
    outs: [ok]
"""
PARAMS = """
seed: 0
model: {code: net.py, options: {}}
data: {root: data/raw}
prune: {methods: {l1: {}, random: {}}}
retrain: {schedules: {finetune: {}, onecycle: {}}}
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text(PARAMS)


def test_a_stage_has_its_templates_filled_in():
    assert declared("train", {}) == Declaration(
        deps=("data", "net.py", "data/raw/sub"),
        params=("seed", "model.options"),
        outs=("models/dense", "models/log.json", "metrics.json", "plots"),
    )


def test_a_matrix_stage_is_that_of_its_items():
    assert declared("retrain", {"method": "l1", "schedule": "onecycle"}) == Declaration(
        deps=("models/l1/masks",),
        params=("seed", "retrain.schedules.onecycle"),
        outs=("models/l1/onecycle",),
    )


def test_a_stage_may_depend_on_all_of_params_yaml():
    assert declared("validate", {}) == Declaration(deps=(), params=("",), outs=("ok",))


def test_an_unknown_stage_is_a_fault_with_the_nearest_name():
    with pytest.raises(Fault) as fault:
        declared("retrian", {})
    line = "dvc.yaml: no stage 'retrian'; did you mean 'retrain'? valid: retrain, train, validate"
    assert str(fault.value) == line


@pytest.mark.parametrize(
    ("items", "line"),
    [
        (
            {"method": "l11", "schedule": "onecycle"},
            "--method is 'l11'; did you mean 'l1'? valid: l1, random",
        ),
        (
            {"method": "l1", "schedule": "one_cycle"},
            "--schedule is 'one_cycle'; did you mean 'onecycle'? valid: finetune, onecycle",
        ),
        ({"method": "l1"}, "--schedule is None; valid: finetune, onecycle"),
    ],
)
def test_a_matrix_item_that_is_no_key_is_a_fault_with_the_nearest_name(items, line):
    with pytest.raises(Fault) as fault:
        declared("retrain", items)
    assert str(fault.value) == line


def test_a_template_without_its_key_is_a_fault():
    Path("params.yaml").write_text(PARAMS.replace("code:", "cod:"))
    with pytest.raises(Fault, match=r"params\.yaml: model\.code is missing; did you mean 'cod'"):
        declared("train", {})


@pytest.mark.parametrize("text", ["", "- a\n", "text\n"])
def test_a_params_yaml_that_is_no_mapping_is_a_fault(text):
    Path("params.yaml").write_text(text)
    with pytest.raises(Fault, match=r"^params\.yaml"):
        declared("validate", {})


@pytest.mark.parametrize("missing", ["dvc.yaml", "params.yaml"])
def test_a_missing_file_is_a_fault(missing):
    Path(missing).unlink()
    with pytest.raises(Fault, match=f"^{missing}: no such file; run from the project's folder$"):
        declared("train", {})
