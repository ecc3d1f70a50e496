"""Page, CSV files and figures follow the one list of sections."""

import re
from pathlib import Path

import pandas as pd
import pytest

from stages.reporting import page as pages
from stages.reporting import sections
from stages.reporting.page import SECTIONS, page, write_figures, write_tables
from stages.reporting.report import Section
from tests.reporting.helpers import change, count_images, report_of

METHODS, SCHEDULES = ["l1", "random", "hrank"], ["finetune", "onecycle"]
FILES = {path.stem for path in Path(sections.__path__[0]).glob("*.py")} - {"__init__"}


@pytest.fixture
def report(make_study):
    """Return a report that has something to show in every section."""
    cross = [*SCHEDULES, "cosine", "tuned"]
    schedules = [*cross, "scaled", "linear", "onecycle_low_peak"]
    entries = {
        "finetune": {"curve": "a"},
        "onecycle": {"curve": "b"},
        "cosine": {"curve": "a", "repair": "batchnorm"},
        "tuned": {"curve": "b", "repair": "batchnorm"},
        "scaled": {"curve": "b", "epochs": 40},
        "linear": {"curve": "b", "max_lr": 0.2},
        "onecycle_low_peak": {"curve": "b", "max_lr": 0.05},
    }
    folder = make_study(METHODS, schedules)
    count_images(folder)
    for schedule in schedules:
        change(folder, "hrank", schedule, parameters=500_000)
    path = folder / "pruned/hrank.json"
    path.write_text(path.read_text().replace("735712", "500000"))
    keys = {"path": SCHEDULES, "factorial": cross}
    keys["pruning"] = {method: {"criterion": "l1", "allocation": {}} for method in METHODS}
    return report_of(folder, METHODS, schedules, entries, dense_peak=0.1, **keys)


def test_every_file_of_sections_is_in_the_list_and_has_the_same_names():
    modules = {section.find.__module__.rpartition(".")[2] for section in SECTIONS}
    assert modules == FILES
    for section in SECTIONS:
        assert section.find.__name__ == "find"
        assert section.text is None or section.text.__name__ == "text"
    names = [section.name for section in SECTIONS]
    assert len(set(names)) == len(names)


def test_the_page_has_the_sections_in_the_order_of_the_list(report):
    titles = re.findall(r"^## (.*)$", page(report), re.MULTILINE)
    assert titles == [
        *(section.title for section in SECTIONS if section.text),
        "How to read this",
        "Files",
    ]


def test_every_table_and_figure_of_the_list_is_written_and_linked(report, tmp_path):
    write_tables(tmp_path / "tables", report)
    write_figures(tmp_path / "figures", report)
    text = page(report)
    for kind, field in (("tables", "table"), ("figures", "figure")):
        names = [section.name for section in SECTIONS if getattr(section, field)]
        assert sorted(path.stem for path in (tmp_path / kind).iterdir()) == sorted(names)
        assert re.findall(rf"\]\({kind}/(\w+)\.", text) == names


def test_a_section_without_anything_to_show_leaves_nothing(make_study, tmp_path):
    report = report_of(make_study(METHODS[:2], SCHEDULES), METHODS[:2], SCHEDULES)
    write_tables(tmp_path, report)
    gone = {"ablation", "factorial", "budgets", "peaks", "peak_law", "rankings", "tradeoffs"}
    gone |= {"heat", "calibration", "classes", "moved"}  # of records that do not count them
    assert {section.name for section in SECTIONS if section.find(report) is None} == gone
    assert gone.isdisjoint(path.stem for path in tmp_path.iterdir())
    assert not any(f"/{name}." in page(report) for name in gone)


def test_a_new_section_is_one_file_and_one_line(report, tmp_path, monkeypatch):
    mine = Section(
        "seeds",
        "The seeds",
        find=lambda report: [point.seed for point in report.results.dense.replicates],
        text=lambda seeds: f"There are {len(seeds)}.",
        table=lambda seeds: pd.DataFrame({"seed": seeds}),
    )
    monkeypatch.setattr(pages, "SECTIONS", (*SECTIONS, mine))
    write_tables(tmp_path, report)
    assert (tmp_path / "seeds.csv").read_text() == "seed\n0\n1\n2\n"
    assert "## The seeds\n\nThere are 3.\n" in page(report)
    assert "[seeds](tables/seeds.csv)" in page(report)
