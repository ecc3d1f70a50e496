import csv
from dataclasses import fields

from tests.benchmarks.ratios import Pair, Row, compare
from tests.benchmarks.table import save, text

ROWS = compare("arm", "float32", "s", {"a": [1.0, 3.0], "b": [3.0, 1500.0]}, [Pair("a", "b")])


def test_text_rounds_and_lays_out():
    assert text(ROWS).splitlines() == [
        "case  setting  ratio  n  median  low    high   goal  top    bottom   unit",
        "arm   float32  a / b  2  0.168   0.002  0.333        2.000  751.500  s",
    ]


def test_csv_has_all_digits(tmp_path):
    save(tmp_path / "rows.csv", ROWS)
    with (tmp_path / "rows.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["median"]) == ROWS[0].median
    assert list(row) == [field.name for field in fields(Row)]
