"""A study as it was kept: its settings and its tables, read back from files alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from stages.pipeline.fault import Fault
from stages.pipeline.files import read_text
from stages.pipeline.params import lookup, parse, read_yaml
from stages.reporting.claims.published import CLAIMS
from stages.reporting.report import lines_of
from stages.reporting.settings import Compare

ARM = {"method": "str", "schedule": "str", "epochs": "float"}
TABLES: Mapping[str, Mapping[str, str]] = {
    "replicates": {
        **ARM,
        "seed": "int",
        "dense_test_top1_percent": "float",
        "test_top1_percent": "float",
    },
    "arms": {**ARM, "diverged": "int", "parameters_kept_percent": "float"},
    "winners": {
        **{"method": "str", "epochs": "float", "arms": "int"},
        **{"highest_mean": "str", "winner": "str", "best_set": "str"},
    },
    "claims": {
        **{"claim": "int", "part": "str", "comparison": "str", "epochs": "str"},
        "replicates": "Int64",
        **{f"difference_points_{each}": "float" for each in ("mean", "low", "high")},
        **{"verdict": "str", "repeat_chance": "float"},
    },
}
"""The tables that the page is made of, with the columns that it reads and their types."""
DENSE = ("seed", "data", "model", "train")
"""The groups of params.yaml that make the dense networks."""
T = TypeVar("T")
OTHER = "another version wrote it"


@dataclass(frozen=True)
class Kept:
    """A study: its name, the page to link to, what it is, its settings and tables by name.

    `schedules` are the entries of params.yaml, `dense` its groups that make the dense networks.
    """

    name: str
    page: str
    title: str
    data: str
    network: str
    dense: Mapping[str, Any]
    schedules: Mapping[str, Mapping[str, Any]]
    compare: Compare
    tables: Mapping[str, pd.DataFrame]

    @cached_property
    def line_of(self) -> Mapping[str, str]:
        """The label of each schedule, one for those that differ in epochs alone."""
        return {name: line for line, names in lines_of(self.schedules).items() for name in names}

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Test accuracy minus the dense network's, in points, by (method, epochs, seed) and line.

        NaN where a line has no such arm, or where its replicate diverged.
        """
        rows = self.tables["replicates"]
        points = rows.test_top1_percent - rows.dense_test_top1_percent
        named = rows.assign(line=rows.schedule.map(self.line_of), points=points)
        once = named.drop_duplicates(["method", "epochs", "seed", "line"])
        return once.pivot(index=["method", "epochs", "seed"], columns="line", values="points")


def read_kept(tables: Path, params: Path, name: str, page: str) -> Kept:
    """Read a study; a Fault names the file that is missing, damaged or another version's."""
    settings = read_yaml(params)

    def setting(key: str, kind: type[T]) -> T:
        return parse(kind, lookup(settings, key, params), key, params)

    kept = Kept(
        name,
        page,
        _title(read_text(params)),
        setting("data.source", str),
        setting("model.factory", str),
        {key: lookup(settings, key, params) for key in DENSE},
        setting("retrain.schedules", dict[str, dict[str, Any]]),
        setting("compare", Compare),
        {table: _read(tables / f"{table}.csv", columns) for table, columns in TABLES.items()},
    )
    for table in ("replicates", "arms"):
        if strange := set(kept.tables[table].schedule) - set(kept.schedules):
            path = tables / f"{table}.csv"
            raise Fault(f"{path}: {min(strange)} is no schedule of {params}")
    return kept


def _title(text: str) -> str:
    """Return the comment that a params.yaml begins with, as that of a preset does."""
    first = text.partition("\n")[0]
    return first.lstrip("# ").rstrip(". ") if first.startswith("#") else ""


def _read(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """Read the columns of a table as their types; what is not needed may have changed."""
    try:
        table = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=[""])
        if missing := [name for name in columns if name not in table]:
            raise Fault(f"{path}: has no column {missing[0]}; {OTHER}")
        others = {name: kind for name, kind in columns.items() if kind != "str"}
        found = table[list(columns)].astype(others)  # pandas 2 makes "nan" of a str's NaN
    except FileNotFoundError:
        raise Fault(f"{path}: missing; {OTHER}") from None
    except (ValueError, TypeError, OSError) as error:
        raise Fault(f"{path}: not such a table ({' '.join(str(error).split())[:80]})") from None
    if "claim" in found and not found.claim.between(1, len(CLAIMS)).all():
        raise Fault(f"{path}: claims are 1 to {len(CLAIMS)}; {OTHER}")
    return found
