"""What the tables of a kept study must be, row by row: columns, kinds and ranges."""

import csv
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.pipeline import section
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_text
from stages.pipeline.params import shown
from stages.reporting.studies.kept import COSTS, DIFFERENCES, MEASURES, OTHER


@dataclass(frozen=True)
class Row:
    """A row of a table: the line of the file that it ends on, and its cells by column."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """What a cell may hold: text that matches `pattern`, or a number from `low` to `high`.

    `whole`: no fraction. `optional`: it may be empty. `mapping`: none of these, but a JSON object.
    """

    low: float = -math.inf
    high: float = math.inf
    whole: bool = False
    optional: bool = False
    pattern: str = ""
    mapping: bool = False

    def allows(self, text: str) -> bool:
        """Whether a cell may hold this."""
        if not text:
            return self.optional
        if self.pattern:
            return bool(re.fullmatch(self.pattern, text))
        try:
            if self.mapping:
                return isinstance(json.loads(text), dict)
            number = float(text)
        except (ValueError, RecursionError):
            return False
        within = math.isfinite(number) and self.low <= number <= self.high
        return within and not (self.whole and number % 1)

    @property
    def rule(self) -> str:
        """What is allowed, in words."""
        if self.mapping:
            return "it should be a JSON object"
        if self.pattern:
            return f"it should match {self.pattern}"
        kind = "a whole number" if self.whole else "a number"
        least = f" of at least {self.low:g}" if self.low > -math.inf else ""
        bounds = f" from {self.low:g} to {self.high:g}" if self.high < math.inf else least
        return f"it should be {kind}{bounds}{', or empty' if self.optional else ''}"


NAME = Column(pattern=section.NAME)
COUNT = Column(low=1, whole=True)
EPOCHS = Column(low=0)
"""A mean over rounds may be a fraction, and an arm that is reconstructed alone has 0."""
PERCENT = Column(low=0, high=100)
SCORE = Column(low=0, high=100, optional=True)
SPREAD = Column(low=0, optional=True)
POINTS = Column(low=-100, high=100, optional=True)
NUMBER = Column(optional=True)
ARM = {"method": NAME, "schedule": NAME}
SCORES = tuple(name for name in MEASURES if name.endswith("_percent") and "dense" not in name)
TABLES: Mapping[str, Mapping[str, Column]] = {
    "replicates": {
        **ARM,
        **{"epochs": EPOCHS, "seed": Column(low=0, whole=True)},
        "dense_test_top1_percent": PERCENT,
        **dict.fromkeys(SCORES, SCORE),
        "test_loss": SPREAD,
        "diverged_in_epoch": Column(low=1, whole=True, optional=True),
    },
    "arms": {
        **ARM,
        **{"start": NAME, "curve": NAME, "epochs": EPOCHS, "rounds": COUNT, "replicates": COUNT},
        "diverged": Column(low=0, whole=True),
        **{f"{name}_mean": SCORE for name in SCORES},
        **{f"{name}_sd": SPREAD for name in SCORES},
        "test_loss_mean": SPREAD,
        **{f"{name}_mean": POINTS for name in DIFFERENCES},
        **{f"{name}_{end}": NUMBER for name in DIFFERENCES for end in ("low", "high")},
        **{name: Column(low=0) for name in COSTS},
    },
    "paired": {
        **ARM,
        **{"baseline": NAME, "replicates": COUNT, "difference_points_mean": POINTS},
        **{f"difference_points_{each}": NUMBER for each in ("low", "high")},
        "difference_points_sd": SPREAD,
        "confidence_percent": Column(low=50, high=100),
        "verdict": Column(pattern="better|same|worse|undecided"),
    },
    "winners": {
        **{"method": NAME, "epochs": EPOCHS, "arms": COUNT},
        **{"highest_mean": NAME, "winner": NAME},
    },
    "origins": {
        **ARM,
        "environment": Column(mapping=True),
        "lock_entry": Column(pattern="[0-9a-f]{16}", optional=True),
    },
}
"""The columns that are checked, by table; others may stand beside them."""


def read(path: Path, columns: Mapping[str, Column]) -> list[Row]:
    """Read a table; a Fault where it is none, or lacks a column."""
    try:
        reader = csv.reader(read_text(path).splitlines(keepends=True), strict=True)
        header = next(reader, [])
        if missing := [name for name in columns if name not in header]:
            raise Fault(f"{path}: has no column {missing[0]}; {OTHER}")
        return [Row(reader.line_num, _cells(path, reader.line_num, header, row)) for row in reader]
    except FileNotFoundError:
        raise Fault(f"{path}: missing; {OTHER}") from None
    except (OSError, ValueError, csv.Error) as error:
        raise Fault(f"{path}: not such a table ({' '.join(str(error).split())[:80]})") from None


def cell_faults(path: Path, rows: Sequence[Row], columns: Mapping[str, Column]) -> Iterator[str]:
    """Yield a line for every cell that holds what it may not."""
    for row in rows:
        for name, column in columns.items():
            if not column.allows(row.cells[name]):
                value = shown(row.cells[name])
                yield f"{path}: line {row.line}: {name} is {value}; {column.rule}"


def _cells(path: Path, line: int, header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise Fault(f"{path}: line {line}: has {len(row)} cells; it should have {len(header)}")
    return dict(zip(header, row, strict=True))
