"""Two branches that change different arms merge, by the commands of docs/daily-use.md."""

import re
import shutil
import subprocess

import pytest

from tests.pipeline.project import ROOT

PAGE = (ROOT / "docs/daily-use.md").read_text(encoding="utf-8")
RUN = ("python", "-m", "stages.commands", "run")
MINE = {"curve": "onecycle", "max_lr": 0.02}


def branch(project, name, start, key, value):
    """Make a branch on which a key has another value, run the study and commit it."""
    project.run("git", "checkout", "--quiet", "-b", name, start)
    project.set(key, value)
    project.run(*RUN)
    project.commit(name)


@pytest.mark.slow
def test_a_merge_is_repaired_by_two_commands_and_trains_nothing(project, tmp_path):
    start = project.run("git", "rev-parse", "HEAD").strip()
    schedules = {"mine": MINE, **project.params()["retrain"]["schedules"]}
    branch(project, "yours", start, "retrain.schedules.onecycle.max_lr", 0.05)
    branch(project, "ours", start, "retrain.schedules", schedules)

    said = project.run("git", "merge", "yours", code=1)
    conflicts = re.findall(r"Merge conflict in (.*)", said)
    assert {"dvc.lock", "reports/README.md", "reports/accuracy.json"} <= {*conflicts}
    assert "params.yaml" not in conflicts
    assert not [path for path, text in project.files("reports").items() if b"<<<<<<<" in text]

    said = project.run(*RUN)
    project.run("git", "commit", "--all", "--no-edit", "--quiet")

    assert {"retrain@l1-onecycle"} <= {*re.findall(r"^restored +(\S+)", said, re.MULTILINE)}
    assert not re.search(r"^ran +(train|prune|retrain)", said, re.MULTILINE)
    assert project.run("git", "status", "--porcelain") == ""
    assert project.params()["retrain"]["schedules"]["mine"] == MINE
    assert project.params()["retrain"]["schedules"]["onecycle"]["max_lr"] == 0.05

    anew = project.clone(tmp_path / "anew")
    shutil.rmtree(anew.folder / "reports")
    (anew.folder / "dvc.lock").unlink()
    anew.run(*RUN)
    assert anew.files("reports") == project.files("reports")
    assert anew.outputs() == project.outputs()


@pytest.mark.parametrize(
    ("path", "merge"),
    [
        ("reports/README.md", "unset"),
        ("reports/studies/README.md", "unset"),
        ("reports/studies/budgets/README.md", "unspecified"),
    ],
)
def test_what_is_written_again_keeps_the_file_of_the_branch(path, merge):
    asked = ["git", "check-attr", "merge", path]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert said == f"{path}: merge: {merge}\n"


def test_the_docs_have_the_commands():
    block = re.search(r"## Two branches\n.*?```\n(.*?)```", PAGE, re.DOTALL)[1]
    typed = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
    assert typed == ["git merge colleague", "afterprune run", "git commit --all --no-edit"]
