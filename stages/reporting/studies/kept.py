"""A study as it was kept: its settings and its tables, read back from files alone."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from stages.pipeline.fault import Fault
from stages.pipeline.files import read_text
from stages.pipeline.params import lookup, parse, read_yaml
from stages.reporting.claims.published import CLAIMS
from stages.reporting.lines import is_plain, lines_of
from stages.reporting.looks import look_at
from stages.reporting.settings import Compare
from stages.reporting.studies.forms import Form, dense_form, method_form, schedule_form
from stages.reporting.studies.origins import COLUMNS, ORIGINS, compact
from stages.statistics.verdicts import Levels

ARM = {"method": "str", "schedule": "str", "epochs": "float"}
MEASURES = (
    *("dense_test_top1_percent", "test_top1_percent", "selected_test_top1_percent"),
    *("best_of_test_top1_percent", "validation_top1_percent", "test_loss"),
)
"""What replicates.csv has of every replicate."""
COSTS = (
    *("parameters_kept_percent", "macs_kept_percent"),
    "retraining_macs_percent_of_dense_training",
)
"""What arms.csv has of every arm that is the same for all its replicates."""
DIFFERENCES = ("difference_to_baseline_points", "difference_to_dense_points")
TABLES: Mapping[str, Mapping[str, str]] = {
    "replicates": {
        **ARM,
        "seed": "int",
        **dict.fromkeys(MEASURES, "float"),
        "diverged_in_epoch": "float",
    },
    "arms": {
        **ARM,
        **{"start": "str", "curve": "str", "rounds": "int", "diverged": "int"},
        **dict.fromkeys(COSTS, "float"),
        **{f"{each}_{end}": "float" for each in DIFFERENCES for end in ("mean", "low", "high")},
    },
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
Entries = dict[str, dict[str, Any]]
T = TypeVar("T")
OTHER = "another version wrote it"


@dataclass(frozen=True)
class Kept:
    """A study: its name, the page to link to, what it is, its settings and tables by name.

    `settings` are those of params.yaml; `dense` its groups that make the dense networks, which
    train for `dense_epochs` at rates up to `peak`; `methods` and `schedules` its entries of pruning
    and retraining. `dense_form`, `method_forms` and `schedule_forms` are the same with all defaults
    (see `studies.forms`); those of `plain` change start, rates and momentum alone. `origins` says
    what made each arm (see `studies.origins`).
    """

    name: str
    page: str
    title: str
    data: str
    network: str
    settings: Mapping[str, Any]
    dense: Mapping[str, Any]
    dense_epochs: int
    peak: float
    dense_form: Form
    methods: Mapping[str, Mapping[str, Any]]
    schedules: Mapping[str, Mapping[str, Any]]
    method_forms: Mapping[str, Form]
    schedule_forms: Mapping[str, Form]
    plain: Collection[str]
    compare: Compare
    tables: Mapping[str, pd.DataFrame]
    origins: pd.DataFrame

    @cached_property
    def networks(self) -> str:
        """A text that is equal for studies of the same dense networks."""
        return compact(self.dense_form)

    @cached_property
    def line_of(self) -> Mapping[str, str]:
        """The label of each schedule, one for those that differ in epochs alone.

        Without the budget at its end, also where a study has that budget alone.
        """
        lines = lines_of(self.schedules)
        short = {line: self._without_budget(line, names[0]) for line, names in lines.items()}
        known = Counter([*lines, *short.values()])
        labels = {line: name if known[name] == 1 else line for line, name in short.items()}
        return {name: labels[line] for line, names in lines.items() for name in names}

    def _without_budget(self, line: str, schedule: str) -> str:
        return line.removesuffix(f"_{self.schedules[schedule].get('epochs')}")

    @cached_property
    def levels(self) -> Levels:
        """How often a verdict may be wrong: at the look of a study that grows."""
        runs = self.tables["replicates"].groupby(["method", "schedule"]).seed.size()
        look = look_at(self.compare, int(runs.min()))
        error = 1 - self.compare.confidence
        return look.levels if look else Levels(error, error)


def title(text: str) -> str:
    """Return the comment that a params.yaml begins with, as that of a preset does."""
    first = text.partition("\n")[0]
    return first.lstrip("# ").rstrip(". ") if first.startswith("#") else ""


def read_kept(
    tables: Path, params: Path, name: str, page: str, origins: pd.DataFrame | None = None
) -> Kept:
    """Read a study; a Fault names the file that is missing, damaged or another version's.

    `origins` are those of the study where it was not kept, None to read them from its tables.
    """
    settings = read_yaml(params)

    def setting(key: str, kind: type[T]) -> T:
        return parse(kind, lookup(settings, key, params), key, params)

    kept = Kept(
        name,
        page,
        title(read_text(params)),
        setting("data.source", str),
        setting("model.factory", str),
        settings,
        {key: lookup(settings, key, params) for key in DENSE},
        setting("train.epochs", int),
        peak := setting("train.lr", float),
        dense_form(settings, params),
        methods := setting("prune.methods", Entries) | setting("prune.iterative", Entries),
        schedules := setting("retrain.schedules", Entries),
        {name: method_form(entry, name, params) for name, entry in methods.items()},
        {name: schedule_form(entry, peak, name, params) for name, entry in schedules.items()},
        {name for name, entry in schedules.items() if is_plain(entry, name, params)},
        setting("compare", Compare),
        {table: _read(tables / f"{table}.csv", columns) for table, columns in TABLES.items()},
        _origins(tables) if origins is None else origins,
    )
    for table in ("replicates", "arms"):
        for column, known in (("method", kept.methods), ("schedule", kept.schedules)):
            if strange := set(kept.tables[table][column]) - set(known):
                path = tables / f"{table}.csv"
                raise Fault(f"{path}: {min(strange)} is no {column} of {params}")
    return kept


def _origins(tables: Path) -> pd.DataFrame:
    """Read what made each arm; no row of a study that was kept before that was."""
    path = tables / ORIGINS
    return _read(path, COLUMNS) if path.is_file() else pd.DataFrame(columns=[*COLUMNS])


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
