import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stages.commands.keep import PARTS, app, keep
from stages.pipeline.fault import Fault

ROOT = Path(__file__).parents[2]
PAGE = "# Title\n\nText with ![a figure](figures/arms.svg) and [a table](tables/arms.csv).\n"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return the folder that a finished report is kept in."""
    monkeypatch.chdir(tmp_path)
    reports = {"README.md": PAGE, "headline.json": "{}\n"}
    reports |= {"figures/arms.svg": "<svg/>\n", "tables/arms.csv": "a\n", "arms/l1/a.json": "{}\n"}
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
    assert links == ["params.yaml", "figures/arms.svg", "tables/arms.csv"]
    assert all((study / link).is_file() for link in links)
    assert (study / "params.yaml").read_text() == "seeds: 3\n"
    assert sorted(path.name for path in study.iterdir()) == [
        "README.md",
        "curves",
        "figures",
        "headline.json",
        "params.yaml",
        "tables",
    ]


def test_times_are_kept_where_there_are_any(study):
    times = Path("reports/latency/l1.csv")
    times.parent.mkdir()
    times.write_text("ms\n")
    keep(study)
    assert (study / "latency/l1.csv").read_text() == "ms\n"


def test_all_that_a_page_links_to_is_kept():
    template = (ROOT / "stages/reporting/page.md.j2").read_text()
    folders = re.findall(r"\]\((\w+)[/)]", template)
    assert {"curves", "figures", "tables"} <= {*folders} <= {*PARTS}


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


def test_a_name_that_is_no_folder_name_is_a_fault(study):
    result = CliRunner().invoke(app, ["../mine"])
    assert str(result.exception).startswith("the study's name is '../mine'")
