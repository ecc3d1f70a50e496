"""The rows of all cases as text and as CSV."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from stages.commands.layout import columns
from stages.files import write_rows
from tests.benchmarks.ratios import Row


def text(rows: Sequence[Row]) -> str:
    """Lay rows out for a terminal, ratios with three decimals."""
    names = [field.name for field in fields(Row)]
    return columns([names, *([_cell(value) for value in asdict(row).values()] for row in rows)])


def save(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, all digits."""
    write_rows(path, [asdict(row) for row in rows])


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return f"{value}"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3f}"
