"""`dvc exp show` of the default study after experiments over seeds, with invented results."""

import pytest
import yaml

from stages.pipeline.files import write_json
from stages.pipeline.params import read_yaml
from tests.pipeline.columns import ARMS, HEADLINE, show
from tests.pipeline.project import ROOT, Project, environment

PAGE = (ROOT / "docs/daily-use.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """Return the params and metrics of the default study, and experiments of more seeds."""
    folder = tmp_path_factory.mktemp("default")
    project = Project(folder / "project", environment(folder))
    project.folder.mkdir()
    project.run("git", "init", "--quiet")
    project.dvc("init", "--quiet")
    stages = read_yaml(ROOT / "dvc.yaml")["stages"].values()
    files = [path for stage in stages for entry in stage.get("metrics", []) for path in entry]
    text = yaml.safe_dump({"params": ["params.yaml"], "metrics": files})
    (project.folder / "dvc.yaml").write_text(text)
    (project.folder / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    invent(project, files, 12)
    project.commit("study")
    for seeds in (16, 24):
        project.set("seeds", seeds)
        invent(project, files, seeds)
        project.dvc("exp", "save", "--name", f"with-{seeds}-seeds")
    return project


def invent(project, files, seeds):
    """Write accuracies that all depend on the number of seeds."""
    params = project.params()
    arms = [f"{m}-{s}" for m in params["prune"]["methods"] for s in params["retrain"]["schedules"]]
    names = [f"{name}{kind}" for name in ("dense", "pruned", "retrained") for kind in ("", "_sd")]
    keys = {"reports/headline.json": [*names, "selected", "drop"], "reports/accuracy.json": arms}
    for file in files:
        write_json(project.folder / file, dict.fromkeys(keys[file], 90 + seeds / 7), 3)


@pytest.mark.parametrize("columns", [HEADLINE, ARMS])
def test_the_table_fits_160_columns(columns, default):
    queued = len("   Success   Dvc-task")  # columns that experiments of a queue have besides
    lines = show(default, *columns).splitlines()
    assert "seeds" in lines[1]
    assert "…" not in lines[1]
    assert sum("with-" in line for line in lines) == 2
    assert max(map(len, lines)) <= 160 - queued


@pytest.mark.parametrize("columns", [HEADLINE, ARMS])
def test_the_docs_have_the_command(columns):
    option, value, *rest = columns
    words = [option, f"'{value}'", *(rest and (rest[0], f"'{rest[1]}'"))]
    assert f"dvc exp show --only-changed {' '.join(words)}" in PAGE
