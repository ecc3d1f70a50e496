"""The table of all results, in another program."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import afterprune
from stages.reporting.studies.rows import COLUMNS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(tmp_path):
    """Write a table to a project, as the text given or of one row with some values."""

    def write(text=None, **values):
        row = pd.DataFrame([dict.fromkeys(COLUMNS, "") | values])
        (tmp_path / "reports").mkdir(exist_ok=True)
        path = tmp_path / "reports/results.csv"
        path.write_text(row.to_csv(index=False) if text is None else text)
        return tmp_path

    return write


def test_columns_come_as_what_they_are(table):
    found = afterprune.results(
        table(study="mine", method="none", epochs="1.5", seed="3", test_top1_percent="97.125")
    )
    [row] = found.to_dict("records")
    assert [*found.columns] == [*COLUMNS]
    assert (row["study"], row["method"], row["epochs"], row["seed"]) == ("mine", "none", 1.5, 3)
    assert row["test_top1_percent"] == 97.125
    assert pd.isna(row["test_loss"])
    assert pd.isna(row["diverged_in_epoch"])
    assert pd.isna(row["environment"])


def test_the_project_s_own_table_is_read_from_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = afterprune.results(ROOT)
    assert found.test_top1_percent.between(0, 100).all()
    assert not found.duplicated(["study", "method", "schedule", "seed"]).any()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not such a table (No columns to parse from file)"),
        ("study,seed\na,b,c\n1\n2,3,4,5\n", "not such a table (Error tokenizing data"),
        ("study,seed\nmine,3\n", "has no column data; `afterprune studies` writes it again"),
        (b"\xff\xfe\x00".decode("latin1"), "has no column study"),
    ],
)
def test_another_file_is_a_line(table, text, told):
    with pytest.raises(afterprune.Fault) as fault:
        afterprune.results(table(text))
    assert told in str(fault.value)
    assert "\n" not in str(fault.value)


@pytest.mark.parametrize(("column", "value"), [("seed", "8.5"), ("test_loss", "low")])
def test_another_value_is_a_line(table, column, value):
    with pytest.raises(afterprune.Fault, match=r"results\.csv: not such a table"):
        afterprune.results(table(**{column: value}))


def test_no_table_is_a_line(tmp_path):
    with pytest.raises(afterprune.Fault, match=r"no such file; `afterprune studies` writes it$"):
        afterprune.results(tmp_path)


def test_it_takes_pandas_alone():
    slow = "{'torch', 'dvc', 'matplotlib', 'scipy', 'pydantic'}"
    code = f"import afterprune, sys; afterprune.results(); print(*{slow} & sys.modules.keys())"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


def test_every_public_name_is_there_and_no_other():
    assert all(getattr(afterprune, name) is not None for name in afterprune.__all__)
    assert {*afterprune.__all__} <= {*dir(afterprune)}
    with pytest.raises(AttributeError, match="no attribute 'result'"):
        _ = afterprune.result
