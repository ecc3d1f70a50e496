"""`explain` says what `dvc repro` would run, and why, on a study whose outputs are made up."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest

from stages.commands.edits import edited
from stages.commands.explain import main, validated
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse, read_yaml
from stages.runner.dvc.forecast import differences
from stages.study.settings import Study
from tests.pipeline.project import Project, copy_tree, environment

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # in DVC
RECORD = """
from pathlib import Path
from dvc.repo import Repo
from stages.commands.explain import validated
from stages.pipeline.digests import code_digests
from stages.pipeline.files import write_json, write_text
from stages.pipeline.params import parse, read_yaml
from stages.study.settings import Study, rewind_epochs, starts
study = parse(Study, read_yaml())
write_json("build/code.json", code_digests(study.model.code))
write_text("build/params.ok", "ok\\n")
write_json("build/rewind.json", {"epochs": rewind_epochs(study)})
write_json("build/starts.json", starts(study))
for stage in Repo().index.stages:
    for path in map(Path, map(str, [*stage.outs, *stage.deps])):
        if path.suffix and not path.exists():
            write_text(path, f"{path}")
        elif not path.exists() or (path.is_dir() and not list(path.iterdir())):
            write_text(path / "file", f"{path}")
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A project with outputs that DVC holds for those of its code and parameters."""
    folder = tmp_path_factory.mktemp("recorded")
    project = Project(folder / "project", environment(folder))
    copy_tree(project.folder)
    project.run("git", "init", "--quiet")
    project.run("python", "-c", RECORD)
    project.dvc("commit", "--force", "--quiet")
    project.commit("study")
    return project


@pytest.fixture
def project(recorded, tmp_path, monkeypatch):
    """A copy of it, in the current folder."""
    for name, value in recorded.environment.items():
        monkeypatch.setenv(name, value)
    copy = recorded.copy(tmp_path / "project")
    monkeypatch.chdir(copy.folder)
    return copy


@pytest.fixture
def explain(project, capsys):
    """Return what the command prints, and the reasons by stage and verdict."""

    def explained(*targets):
        capsys.readouterr()
        main(list(targets) or None)
        return Explained(capsys.readouterr().out)

    return explained


class Explained:
    def __init__(self, text):
        self.text = text
        self.verdicts, self.reasons = {}, {}
        for line in text.splitlines():
            first = re.fullmatch(r"(\S+) +(runs|restored|may run)  +(.+)", line)
            if first:
                stage = first[1]
                self.verdicts[stage] = first[2]
            if first or line.startswith(" "):
                reason = first[3] if first else line.strip()
                self.reasons.setdefault(stage, []).append(reason)

    def stages(self, verdict):
        return {stage.split("@")[0] for stage, its in self.verdicts.items() if its == verdict}


def test_nothing_runs_in_a_finished_study(explain):
    assert explain().text == "nothing to run\n"


def test_a_number_of_one_arm(explain, project):
    project.set("retrain.schedules.onecycle.max_lr", 0.05)
    found = explain()
    line = "retrain.schedules.onecycle.max_lr: 0.1 -> 0.05"
    assert found.stages("runs") == {"validate", "plan", "compare"}
    assert found.stages("may run") == {"retrain", "evaluate", "headline"}
    assert found.reasons["plan@random"] == found.reasons["compare"] == [line]
    assert found.reasons["retrain@l1-onecycle"] == ["if the outputs of plan@l1 change"]


def test_all_keys_that_changed_are_named(explain, project):
    project.set("retrain.schedules.mine", {"curve": "constant", "lr": 0.01})
    project.set("retrain.epochs", 4)
    project.set("seeds", 2)
    found = explain("compare")
    keys = ["retrain.epochs: 8 -> 4", "retrain.schedules.mine: added", "seeds: 10 -> 2"]
    assert found.reasons["validate"] == keys
    assert found.reasons["plan@l1"] == keys[:2]
    assert found.reasons["train"] == keys[2:]
    assert found.reasons["retrain@l1-mine"] == ["it never ran"]
    assert found.reasons["checkpoint"] == ["build/rewind.json: changed", "seeds: 10 -> 2"]


def test_an_epoch_to_rewind_to_changes_by_itself(explain, project):
    """`checkpoint` depends on what `validate` will write, and this is known beforehand."""
    project.set("retrain.epochs", 4)
    found = explain("checkpoint")
    assert found.verdicts == {"validate": "runs", "checkpoint": "runs"}
    assert found.reasons["checkpoint"] == ["build/rewind.json: changed"]


def test_a_docstring(explain, project):
    project.append("stages/training/loop.py", '\n"""The end."""  # of the loop\n')
    assert explain().verdicts == {"code": "runs"}


def test_code_is_named_by_key_and_file(explain, project):
    project.append("stages/training/loop.py", "\nADDED = 1\n")
    project.append("stages/schedules/shapes.py", "\n# a comment\n")
    project.commit("an edit")
    project.append("stages/data/split.py", "\nADDED = 1\n")
    found = explain()
    assert found.stages("runs") == {
        *("code", "validate", "prepare", "train", "checkpoint", "retrain")
    }
    assert found.reasons["code"] == ["stages: changed"]
    assert found.reasons["train"] == ["code_train: stages/training/loop.py"]
    assert found.reasons["prepare"] == ["code_prepare: stages/data/split.py"]
    assert found.reasons["prune@l1"] == ["if the outputs of prepare, train change"]
    assert "plan" not in found.stages("runs")


def test_a_metric_trains_nothing(explain, project):
    project.append("stages/evaluation/metrics.py", "\nADDED = 1\n")
    found = explain()
    assert found.stages("runs") == {"code", "evaluate", "evaluate_dense", "evaluate_pruned"}
    assert found.stages("may run") == {"headline", "compare"}


def test_outputs_and_data(explain, project):
    """Outputs are restored from the cache where all that they depend on is the same."""
    shutil.rmtree("models/plans/l1")
    Path("models/outcomes/dense/file").write_text("edited")
    Path("reports/headline.json").write_text("edited")
    Path("data/raw/images").write_text("new")
    found = explain("plan@l1", "evaluate_dense", "headline")
    assert found.reasons["prepare"] == ["data/raw: changed"]
    assert found.reasons["train"] == ["models/outcomes/dense: changed"]
    assert found.reasons["headline"] == ["reports/headline.json: changed"]
    assert found.verdicts["plan@l1"] == "runs"
    Path("data/raw/images").unlink()
    Path("models/outcomes/dense/file").write_text("models/outcomes/dense")
    found = explain("plan@l1")
    assert found.verdicts == {"plan@l1": "restored"}
    assert found.reasons["plan@l1"] == ["models/plans/l1: missing"]


def test_what_ran_before_is_restored(explain, project):
    project.set("data.seed", 1)
    assert explain("prepare").verdicts == {"validate": "runs", "prepare": "runs"}
    project.dvc("commit", "--force", "--quiet")
    assert explain().text == "nothing to run\n"
    project.set("data.seed", 0)
    found = explain("prepare")
    assert found.verdicts == {"validate": "restored", "prepare": "restored"}
    assert found.reasons["prepare"] == ["data.seed: 1 -> 0"]


def test_commands_and_frozen_stages(explain, project):
    project.edit("dvc.yaml", "cmd: python -m stages.headline", "cmd: python -B -m stages.headline")
    assert explain().reasons == {"headline": ["its command changed"]}
    project.edit("dvc.yaml", "  prepare:\n", "  prepare:\n    frozen: true\n")
    project.set("data.seed", 1)
    assert explain("train").verdicts == {"validate": "runs"}


def test_a_bad_params_yaml_is_said_first(explain, project):
    project.set("retrain.schedule", "onecycel")
    found = explain("headline")
    first, second, _ = found.text.split("\n", 2)
    assert first.startswith("params.yaml: retrain.schedule is 'onecycel'; did you mean 'onecycle'?")
    assert second.startswith("`validate` stops on this")
    assert found.reasons["validate"] == ["retrain.schedule: onecycle -> onecycel"]


def test_digests_that_dvc_commit_left_behind(explain, project):
    project.append("stages/training/loop.py", "\nADDED = 1\n")
    project.dvc("commit", "--force", "--quiet")
    found = explain()
    assert found.text.startswith("build/code.json: the code of ")
    assert "`dvc repro -f -s code`" in found.text
    assert found.stages("runs") == {"train", "checkpoint", "retrain"}


def test_unknown_targets_are_refused(explain):
    with pytest.raises(Fault, match="nothing"):
        explain("nothing")


def test_what_validate_would_write_is_what_it_writes(project):
    project.set("retrain.epochs", 4)
    expected = validated(parse(Study, read_yaml()))
    project.run("python", "-m", "stages.validate")
    written = {
        path: hashlib.md5(Path(path).read_bytes(), usedforsecurity=False).hexdigest()
        for path in expected
    }
    assert written == expected


def test_the_command_says_and_changes_nothing_else(project):
    project.append("stages/training/loop.py", "\nADDED = 1\n")
    before = {**project.files("build"), "dvc.lock": Path("dvc.lock").read_bytes()}
    said = project.run("python", "-m", "stages.commands.explain", "prepare", "train")
    assert said.split("\n") == [
        "code   runs  stages: changed",
        "train  runs  code_train: stages/training/loop.py",
        "",
    ]
    assert {**project.files("build"), "dvc.lock": Path("dvc.lock").read_bytes()} == before


def test_edits_are_unknown_without_git(project):
    project.append("stages/training/loop.py", "\nADDED = 1\n")
    assert edited() == {"stages/training/loop.py"}
    shutil.rmtree(".git")
    assert edited() == set()


def test_edited_files_are_those_that_count(project):
    project.append("stages/training/loop.py", "\n# a comment\n")
    project.append("stages/training/broken.py", "def\n")
    project.append("stages/training/page.txt", "a page")
    Path("stages/training/fit.py").unlink()
    assert edited() == {
        *("stages/training/broken.py", "stages/training/page.txt", "stages/training/fit.py")
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a: 1 -> 2"]),
        ({"a.b": {"c": 1, "d": 2}}, {"a.b": {"c": 1, "d": 3}}, ["a.b.d: 2 -> 3"]),
        ({"a": {}}, {"a": {"b": {"c": 1}}}, ["a.b: added"]),
        ({"a": {"b": None}}, {"a": {}}, ["a.b: removed"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a: [1, 2] -> [1]"]),
        ({"a": {"b": 1}}, {"a": None}, ["a: {'b': 1} -> None"]),
        ({"a": "x" * 50}, {"a": ""}, [f"a: {'x' * 40}... -> "]),
    ],
)
def test_differences(old, new, expected):
    assert list(differences("", old, new)) == expected
