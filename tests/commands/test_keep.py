import json
import re
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stages.commands import keep as command
from stages.commands.keep import app, keep, linked
from stages.pipeline.fault import Fault
from stages.reporting.studies.origins import digest

ROOT = Path(__file__).parents[2]
LINKS = "![a figure](figures/arms.svg), [a table](tables/arms.csv) and [curves](curves)"
ARM = '{"environment": {"device": "cpu"}}\n'
PAGE = f"# Title\n\nText with {LINKS}.\n"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return the folder that a finished report is kept in."""
    monkeypatch.chdir(tmp_path)
    reports = {"README.md": PAGE, "headline.json": "{}\n"}
    reports |= {"figures/arms.svg": "<svg/>\n", "tables/arms.csv": "a\n", "arms/l1/a.json": ARM}
    reports |= {"curves/l1-a.csv": "epoch\n"}
    for name, text in reports.items():
        path = Path("reports", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    Path("params.yaml").write_text("seeds: 3\n")
    return Path("reports/studies/mine")


def test_a_kept_study_is_whole(study):
    keep(study)
    text = (study / "README.md").read_text()
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links == ["params.yaml", "figures/arms.svg", "tables/arms.csv", "curves"]
    assert all((study / link).exists() for link in links)
    assert (study / "params.yaml").read_text() == "seeds: 3\n"
    assert (study / "curves/l1-a.csv").read_text() == "epoch\n"


def test_what_made_each_arm_is_kept_since_the_lock_goes_on(study):
    entry = {"cmd": "python -m stages.retrain --method l1 --schedule a"}
    Path("dvc.lock").write_text(json.dumps({"stages": {"retrain@l1-a": entry}}))
    keep(study)
    text = (study / "tables/origins.csv").read_text()
    assert text == (
        f'method,schedule,environment,lock_entry\nl1,a,"{{""device"": ""cpu""}}",{digest(entry)}\n'
    )


def test_nothing_is_kept_that_the_page_does_not_link_to(study):
    keep(study)
    assert sorted(path.name for path in study.iterdir()) == [
        "README.md",
        "curves",
        "figures",
        "params.yaml",
        "tables",
    ]


def test_times_are_kept_where_there_are_any(study):
    times = Path("reports/latency/l1.csv")
    times.parent.mkdir()
    times.write_text("ms\n")
    Path("reports/README.md").write_text(f"{PAGE}Milliseconds: [l1](latency/l1.csv).\n")
    keep(study)
    assert (study / "latency/l1.csv").read_text() == "ms\n"


def test_all_that_a_page_links_to_is_kept():
    page = (ROOT / "reports/README.md").read_text()
    parts = linked(page)
    assert {"curves", "figures/arms.svg", "tables/replicates.csv"} <= {*parts}
    assert all((ROOT / "reports" / part).exists() for part in parts)


def test_links_to_elsewhere_are_left_as_they_are():
    page = "[a](#b) [c](https://d.e/f) [g](../h) [i](j.csv) [k](l.svg#m) ![n](o/p.svg)"
    assert linked(page) == ["j.csv", "l.svg", "o/p.svg"]


def test_keeping_again_replaces_all(study):
    keep(study)
    (study / "tables/old.csv").write_text("old\n")
    Path("params.yaml").write_text("seeds: 4\n")
    keep(study)
    assert not (study / "tables/old.csv").exists()
    assert (study / "params.yaml").read_text() == "seeds: 4\n"
    assert [path.name for path in study.parent.iterdir()] == ["mine"]


def test_a_report_of_other_settings_is_not_kept(study):
    result = CliRunner().invoke(app, ["mine"])
    assert isinstance(result.exception, Fault)
    assert "run `dvc repro` first" in str(result.exception)
    assert not study.exists()


def test_a_study_that_the_joined_page_leaves_out_is_told(study, monkeypatch):
    """The one of the fixture lacks the tables."""
    monkeypatch.setattr(subprocess, "run", lambda *_: subprocess.CompletedProcess([], 0))
    monkeypatch.setattr(command, "check_made", lambda: None)
    result = CliRunner().invoke(app, ["mine"])
    assert f"{result.exception}" == (
        "reports/studies/mine is kept but left out of what joins all studies, as it says above"
    )
    assert "left out: reports/studies/mine/" in result.stderr


def test_a_readme_that_cannot_take_the_answers_is_told_of_before_anything_is_kept(
    study, monkeypatch
):
    monkeypatch.setattr(subprocess, "run", lambda *_: subprocess.CompletedProcess([], 0))
    monkeypatch.setattr(command, "check_made", lambda: None)
    Path("README.md").write_text("<!-- answers -->\n")
    result = CliRunner().invoke(app, ["mine"])
    assert str(result.exception).startswith("README.md: should have the lines <!-- answers --> and")
    assert not study.exists()


def test_a_name_that_is_no_folder_name_is_a_fault(study):
    result = CliRunner().invoke(app, ["../mine"])
    assert str(result.exception).startswith("the study's name is '../mine'")


def test_a_kept_page_says_what_the_study_is(study):
    """By the first comment of params.yaml, as presets write one; settings alone say nothing."""
    keep(study)
    assert "\n\nThe study `mine`: the settings are in" in (study / "README.md").read_text()
    Path("params.yaml").write_text("# Photographs, as JPEG.\n# Another line.\nseeds: 3\n")
    keep(study)
    assert "\n\n**Photographs, as JPEG.** The study `mine`: " in (study / "README.md").read_text()
