"""`dvc exp run`: the headline chosen anew, arms added and removed, mistakes told in one line."""

import csv
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.pipeline.columns import ARMS, HEADLINE, show
from tests.pipeline.project import ran, restored, wait_until

SCHEDULES = ["weight_rewind", "onecycle"]
MINE = "+retrain.schedules.mine={curve: onecycle, max_lr: 0.05}"


def headline(project):
    return json.loads((project.folder / "reports/headline.json").read_text())


def an_arm_is_added_and_removed(project):
    before = project.files("reports")
    said = project.dvc("exp", "run", "--set-param", MINE)
    arm = {"retrain@l1-mine", "evaluate@l1-mine"}
    assert ran(said) == {"validate", "plan@l1", *arm, "compare"}
    assert "`mine`" in (project.folder / "reports/README.md").read_text()
    said = project.dvc("exp", "run", "--set-param", "~retrain.schedules.mine")
    assert ran(said) == {"compare"}
    assert restored(said) == {"validate", "plan@l1"}
    assert project.files("reports") == before


@pytest.fixture(scope="module", autouse=True)
def meanwhile(study, tmp_path_factory):
    """Run the longest test on the second core, beside the others of this file."""
    project = study.project.copy(tmp_path_factory.mktemp("arm") / "project")
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(an_arm_is_added_and_removed, project)


def test_another_headline_trains_nothing(project):
    old = headline(project)
    said = project.dvc("exp", "run", "--set-param", "retrain.schedule=weight_rewind")
    assert ran(said) == {"validate", "headline"}
    new = headline(project)
    assert old["retrained"] != new["retrained"]
    metrics = json.loads(project.dvc("metrics", "diff", "--json"))["reports/headline.json"]
    assert {key: (change["old"], change["new"]) for key, change in metrics.items()} == {
        key: (old[key], new[key]) for key in new if old[key] != new[key]
    }
    params = json.loads(project.dvc("params", "diff", "--json"))["params.yaml"]
    assert params == {"retrain.schedule": {"old": "onecycle", "new": "weight_rewind"}}


@pytest.mark.parametrize("where", [(), ("--temp",)])
def test_an_unknown_schedule_is_told_in_a_line(project, where):
    before = project.files("reports")
    command = ("exp", "run", *where, "--set-param", "retrain.schedule=nonsense")
    lines = project.dvc(*command, code=255).splitlines()
    assert "params.yaml: retrain.schedule is 'nonsense'; valid: onecycle, weight_rewind" in lines
    assert ran("\n".join(lines)) == {"validate"}
    assert project.files("reports") == before


def test_a_small_number_arrives_as_a_number(project):
    said = project.dvc("exp", "run", "--set-param", "train.lr=1e-5", "validate")
    assert ran(said) == {"validate"}
    assert re.search(r"^  lr: 1e-05$", (project.folder / "params.yaml").read_text(), re.MULTILINE)


def test_an_arm_is_added_and_removed(meanwhile):
    meanwhile.result()


@pytest.mark.slow
def test_a_queue_of_experiments_can_be_compared(project):
    project.dvc(
        "exp", "run", "--queue", "--set-param", "retrain.schedules.onecycle.max_lr=0.05,0.2"
    )
    project.dvc("queue", "start")
    wait_until(lambda: "Queued" not in (now := queue(project)) and "Running" not in now, 120)
    assert queue(project).count("Success") == 2
    rows = list(csv.DictReader(show(project, *HEADLINE, "--csv").splitlines()))
    assert {"retrained", "retrain.schedules.onecycle.max_lr"} <= rows[0].keys()
    done = [row for row in rows if row["State"] == "Success"]
    assert {row["retrain.schedules.onecycle.max_lr"] for row in done} == {"0.05", "0.2"}
    arms = list(csv.DictReader(show(project, *ARMS, "--csv").splitlines()))
    assert [name for name in arms[0] if name.startswith("l1-")] == [
        "l1-onecycle",
        "l1-weight_rewind",
    ]
    project.dvc("plots", "diff", "HEAD", done[0]["rev"])
    (values,) = drawn(project)
    assert {(row["schedule"], row["rev"]) for row in values} == {
        (schedule, rev) for schedule in SCHEDULES for rev in ("HEAD", done[0]["rev"])
    }


def test_plots_show_the_arms_of_a_method_and_the_figures(project):
    project.dvc("plots", "show")
    (values,) = drawn(project)
    assert [(row["schedule"], row["epoch"]) for row in values] == [
        (schedule, f"{epoch}") for schedule in SCHEDULES for epoch in (1, 2)
    ]
    for row in values:
        assert float(row["lowest"]) <= float(row["test_accuracy"]) <= float(row["highest"])
    page = (project.folder / "dvc_plots/index.html").read_text()
    figures = sorted(path.name for path in (project.folder / "reports/figures").iterdir())
    assert figures
    assert all(f"static/workspace_reports_figures_{name}" in page for name in figures)


def test_the_network_of_the_headline_is_an_artifact(project, tmp_path):
    project.run("git", "tag", "--annotate", "headline@v1.0.0", "--message", "first")
    project.dvc("artifacts", "get", ".", "headline", "--out", str(tmp_path / "network"))
    folder = project.folder / "models/retrained/l1/onecycle/replicate_0"
    assert (tmp_path / "network").read_bytes() == (folder / "last.safetensors").read_bytes()


def drawn(project):
    """Return the rows of each plot of the page that `dvc plots` wrote."""
    page = (project.folder / "dvc_plots/index.html").read_text()
    specs = re.findall(r"var spec = (.*?);\s+vegaEmbed", page, re.DOTALL)
    return [json.loads(spec)["data"]["values"] for spec in specs]


def queue(project):
    return project.dvc("queue", "status")
