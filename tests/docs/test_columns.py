"""The dictionary of reports/results.csv."""

from stages.reporting.studies.rows import COLUMNS
from tests.docs.pages import ROOT


def test_the_dictionary_has_every_column():
    text = (ROOT / "docs/studies.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `") and line.count("|") == 3]
    assert [f"| `{name}` | {meaning} |" for name, meaning in COLUMNS.items()] == rows
