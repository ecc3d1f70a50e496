from pathlib import Path

import pytest

from stages.commands.stale import remove_stale_results

PARAMS = "{prune: {methods: {l1: {}}, iterative: {slow: {}}}, retrain: {schedules: {finetune: {}}}}"


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of three methods and two schedules; be beside them."""
    monkeypatch.chdir(tmp_path)
    for method in ("l1", "slow", "random"):
        for schedule in ("finetune", "onecycle"):
            path = Path("reports/arms", method, f"{schedule}.json")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("{}")
    return lambda: sorted(str(path.relative_to("reports/arms")) for path in Path().rglob("*.json"))


def test_what_no_arm_makes_is_removed(results):
    Path("params.yaml").write_text(PARAMS)
    remove_stale_results()
    assert results() == ["l1/finetune.json", "slow/finetune.json"]


@pytest.mark.parametrize(
    "text",
    ["{}", "{prune: 3}", "{prune: {methods: null}, retrain: {schedules: []}}", "{retrain: }"],
)
def test_settings_that_name_no_arms_remove_nothing(results, text):
    Path("params.yaml").write_text(text)
    remove_stale_results()
    assert len(results()) == 6
