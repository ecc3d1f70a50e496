import pytest

from tests.benchmarks.study import seconds_by_kind


def test_commands_are_summed_by_kind_of_stage():
    log = [
        "validate 10.0 11.5",
        "dvc.yaml:retrain@l1-finetune 12.0 14.0",
        "retrain@random-finetune 14.5 14.75",
    ]
    assert seconds_by_kind(log) == pytest.approx({"validate": 1.5, "retrain": 2.25})
