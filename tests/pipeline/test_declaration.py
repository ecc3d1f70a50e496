import json
from pathlib import Path

import pytest

from stages.pipeline.declaration import Declaration, declared, modules
from stages.pipeline.fault import Fault
from stages.pipeline.section import NAME

DVC = """
stages:
  train:
    cmd: python -m stages.train
    deps: [data, "${model.code}", "${data.root}/sub"]
    params:
      - seed
      - model.options
      - build/code.json: [code_train]
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
  prune: &prune
    matrix: {method: '${prune.methods}'}
    cmd: python -m stages.prune ${item}
    params: ["prune.methods.${item.method}"]
    outs: ["models/${item.method}"]
  prune_iterative:
    <<: *prune
    matrix: {method: '${prune.iterative}'}
    params: ["prune.iterative.${item.method}"]
  validate:
    cmd: python -m stages.validate
    params:
      - params.yaml:
      - build/code.json: [code_validate]
    outs: [ok]
  check:
    cmd: python -m stages.check
    params:
      - params.yaml: [seed]
      - model.code
    outs: [checked]
"""
PARAMS = """
seed: 0
model: {code: net.py, options: {}}
data: {root: data/raw}
prune: {methods: {l1: {}, random: {}}, iterative: {thirds: {}}}
retrain: {schedules: {finetune: {}, onecycle: {}}}
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(DVC)
    Path("params.yaml").write_text(PARAMS)


def test_a_stage_has_its_templates_filled_in():
    assert declared("train", {}) == Declaration(
        name="train",
        deps=("data", "net.py", "data/raw/sub"),
        params=("seed", "model.options"),
        outs=("models/dense", "models/log.json", "metrics.json", "plots"),
    )


@pytest.mark.parametrize(
    "name", ["x;touch y", "$(touch y)", "-x", "a-b", "l1\n", "../l1", "L1", "a b", "1l", "é"]
)
def test_a_name_that_is_none_is_refused_by_the_stage_itself(name):
    tree = {"methods": {name: {}}, "iterative": {}}
    Path("params.yaml").write_text(json.dumps({"prune": tree}))
    with pytest.raises(Fault) as fault:
        declared("prune", {"method": name})
    assert str(fault.value) == f"--method is {name!r}; a name should match {NAME}"


def test_a_matrix_stage_is_that_of_its_items():
    assert declared("retrain", {"method": "l1", "schedule": "onecycle"}) == Declaration(
        name="retrain",
        deps=("models/l1/masks",),
        params=("seed", "retrain.schedules.onecycle"),
        outs=("models/l1/onecycle",),
    )


def test_a_stage_may_depend_on_all_of_params_yaml():
    assert declared("validate", {}) == Declaration("validate", deps=(), params=("",), outs=("ok",))


def test_keys_of_params_yaml_may_be_listed_below_its_name():
    assert declared("check", {}).params == ("seed", "model.code")


@pytest.mark.parametrize(
    ("method", "name", "key"),
    [
        ("random", "prune", "prune.methods.random"),
        ("thirds", "prune_iterative", "prune.iterative.thirds"),
    ],
)
def test_of_two_stages_that_run_one_module_the_items_choose(method, name, key):
    found = declared("prune", {"method": method})
    assert found == Declaration(name, deps=(), params=(key,), outs=(f"models/{method}",))


def test_an_item_of_neither_stage_is_a_fault_that_names_those_of_both():
    with pytest.raises(Fault) as fault:
        declared("prune", {"method": "third"})
    line = "--method is 'third'; did you mean 'thirds'? valid: l1, random, thirds"
    assert str(fault.value) == line


def test_a_stage_whose_matrix_is_empty_is_never_meant():
    Path("params.yaml").write_text(PARAMS.replace("{thirds: {}}", "{}"))
    assert declared("prune", {"method": "l1"}).name == "prune"
    with pytest.raises(Fault, match=r"^--method is 'thirds'; valid: l1, random$"):
        declared("prune", {"method": "thirds"})


def test_the_modules_that_stages_run_are_known_once_each():
    assert modules() == {"train", "retrain", "prune", "validate", "check"}


def test_an_unknown_stage_is_a_fault_with_the_nearest_name():
    with pytest.raises(Fault) as fault:
        declared("retrian", {})
    line = (
        "dvc.yaml: no stage runs 'retrian'; did you mean 'retrain'? "
        "valid: check, prune, retrain, train, validate"
    )
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
