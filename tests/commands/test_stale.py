import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stages.commands.stale import remove_stale_results

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # in DVC
ROOT = Path(__file__).parents[2]
DEFAULT = (ROOT / "params.yaml").read_text()


@pytest.fixture
def results(tmp_path, monkeypatch):
    """Results of the default study and of others; be beside them."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "stages/models", "stages/models")
    for folder in ("data/raw", "data/weights"):
        Path(folder).mkdir(parents=True)
    Path("data/weights/none").touch()
    for arm in ("l1/finetune", "l1/onecycle", "l1/old", "slow/finetune"):
        path = Path("reports/arms", f"{arm}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return lambda: sorted(str(path) for path in Path("reports/arms").rglob("*.json"))


def test_what_no_arm_makes_is_removed(results):
    Path("params.yaml").write_text(DEFAULT)
    remove_stale_results()
    assert results() == ["reports/arms/l1/finetune.json", "reports/arms/l1/onecycle.json"]


@pytest.mark.parametrize(
    ("targets", "left"), [(["prepare"], 4), (["evaluate@l1-scaled"], 4), (["compare"], 2)]
)
def test_a_run_without_the_comparison_removes_nothing(results, targets, left):
    Path("params.yaml").write_text(DEFAULT)
    shutil.copy(ROOT / "dvc.yaml", ".")
    subprocess.run(["dvc", "init", "--no-scm", "--quiet"], check=True)
    remove_stale_results(targets)
    assert len(results()) == left


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "{prune: 3}",
        "{retrain: }",
        re.sub("^seeds: .*", "seeds: 0", DEFAULT, flags=re.MULTILINE),
    ],
    ids=["nothing", "no group", "null", "refused"],
)
def test_settings_that_are_refused_remove_nothing(results, text):
    assert text != DEFAULT
    Path("params.yaml").write_text(text)
    remove_stale_results()
    assert len(results()) == 4
