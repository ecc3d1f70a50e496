"""The rows of all cases as text and as CSV."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from stages.commands.layout import columns
from stages.pipeline.files import replacing
from tests.benchmarks.ratios import Row


def text(rows: Sequence[Row]) -> str:
    """Lay rows out for a terminal, ratios with three decimals."""
    names = [field.name for field in fields(Row)]
    return columns([names, *([_cell(value) for value in asdict(row).values()] for row in rows)])


def save(path: Path, rows: Sequence[Row]) -> None:
    """Write rows as CSV, all digits."""
    with replacing(path) as aside:
        pd.DataFrame([asdict(row) for row in rows]).to_csv(aside, index=False)


def _cell(value: object) -> str:
    if not isinstance(value, float):
        return f"{value}"
    return f"{value:.0f}" if value >= 1000 else f"{value:.3f}"
