"""Columns and sizes as text for a terminal."""

from collections.abc import Iterable, Sequence

UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Lay out rows of equal length, each column as wide as its longest cell."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def in_bytes(number: float) -> str:
    """Return a number of bytes with its unit."""
    return next((f"{number / size:.3g} {unit}" for size, unit in UNITS if number >= size), "0 kB")
