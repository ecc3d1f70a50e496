"""Any params.yaml: what `validate` accepts is planned, and what it refuses is said in lines."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.pipeline.options import own_options
from stages.pipeline.params import PARAMS, parse, read_yaml
from stages.presets.preset import DEFAULT, preset_files, read_params
from stages.retraining.planning import Pruning, plan_arm
from stages.schedules.registry import CURVES
from stages.study.checks import check
from stages.study.settings import Study, rewind_epochs
from tests.fuzz.drawing import changed, drawn, value_or_fault

ROOT = Path(__file__).parents[2]
STEPS = 5
DEFAULT_TREE = read_yaml(DEFAULT)
TREES = [DEFAULT_TREE, *(read_params(path) for path in preset_files().values())]


def with_all_curves():
    """The default study with an arm of every curve, and every option of it written out."""
    arms = {"finetune": {"curve": "constant"}}
    for name, curve in CURVES.items():
        own = own_options(curve).items()
        given = {key: [2, 4] if value is ... else value for key, (_, value) in own}
        lists = {k: list(v) if isinstance(v, tuple) else v for k, v in given.items()}
        arms[name] = {"curve": name, "start": "fresh", "momentum": None, "epochs": 8, **lists}
    return {**DEFAULT_TREE, "retrain": {**DEFAULT_TREE["retrain"], "schedules": arms}}


@pytest.fixture(autouse=True, scope="module")
def in_the_project():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


def validated(tree):
    """Do what `validate` does with what it read."""
    study = parse(Study, tree)
    check(study)
    return study


def planned(study):
    """Check the plan of every arm, as `plan` makes it."""
    dense = study.train.rates(STEPS)
    assert dense.lr.shape == (study.train.epochs * STEPS,)
    for schedule in study.retrain.schedules.values():
        pruning = Pruning(2.0, (0.5, 0.7), (0.5, 0.7))
        plan = plan_arm(schedule, study.retrain.epochs, dense, pruning)
        for column in (plan.rates.lr, plan.rates.momentum):
            assert column.shape == (plan.rates.epochs * STEPS,)
            assert np.isfinite(column).all()
            assert column.min() >= 0
        if plan.rewound_epoch is not None:
            assert plan.rewound_epoch in rewind_epochs(study)


@given(changed(st.sampled_from([*TREES, with_all_curves()])))
@drawn
def test_what_is_accepted_is_planned_and_what_is_not_is_said_in_lines(tree):
    study = value_or_fault(validated, tree, begin=f"{PARAMS}: ")
    if study is not None:
        planned(study)
