"""Whether the files of a study are whole, in range, and agree with each other: a line per fault."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from stages.pipeline.fault import Fault
from stages.pipeline.params import lookup, nearest, parse
from stages.replicates.settings import Seeds
from stages.reporting.studies.agreement import (
    Recomputed,
    arm_faults,
    paired_faults,
    winner_faults,
)
from stages.reporting.studies.kept import Kept, read_kept
from stages.reporting.studies.schema import SCORES, TABLES, Row, cell_faults, read

Rows = Mapping[Path, Sequence[Row]]


def read_checked(
    tables: Path, params: Path, name: str, page: str, origins: pd.DataFrame | None = None
) -> Kept:
    """Read a study as `read_kept` does; a Fault has a line for every fault of its tables."""
    if wrong := cells(tables):
        raise Fault("\n".join(wrong))
    study = read_kept(tables, params, name, page, origins)
    first: int = parse(int, lookup(study.settings, "seed", params), "seed", params)
    count: int = parse(Seeds, lookup(study.settings, "seeds", params), "seeds", params)
    if wrong := faults(study, tables, range(first, first + count)):
        raise Fault("\n".join(wrong))
    return study


def cells(tables: Path) -> list[str]:
    """Return a line for every cell of a study's tables that holds what it may not."""
    try:
        return [
            line
            for path, rows in _read(tables).items()
            for line in cell_faults(path, rows, TABLES[path.stem])
        ]
    except Fault as fault:
        return [str(fault)]


def faults(study: Kept, tables: Path, seeds: range) -> list[str]:
    """Return a line for every fault between the tables of a study, whose cells have none.

    `seeds` are those that it should have. What a later check builds on is right by then, so that
    one fault is not told of twice.
    """
    rows = _read(tables)
    arms, paired, winners, replicates = (
        tables / f"{name}.csv" for name in ("arms", "paired", "winners", "replicates")
    )
    found = [line for path in rows for line in unknown_arms(path, rows[path], study)]
    found = found or [*replicate_faults(replicates, rows[replicates], study, seeds)]
    found = found or [*arms_missing(rows, study)]
    if found:
        return found
    ours = Recomputed(study)
    return [
        *arm_faults(arms, rows[arms], ours),
        *paired_faults(paired, rows[paired], ours),
        *winner_faults(winners, rows[winners], ours),
    ]


def unknown_arms(path: Path, rows: Sequence[Row], study: Kept) -> Iterator[str]:
    """Yield a line for every method or schedule that params.yaml has not."""
    for row in rows:
        for kind, known in (("method", study.methods), ("schedule", study.schedules)):
            name = row.cells.get(kind)
            if name is not None and name not in known:
                told = f"{kind} is {name}, which params.yaml has not; {nearest(name, known)}"
                yield f"{path}: line {row.line}: {told}"


def replicate_faults(path: Path, rows: Sequence[Row], study: Kept, seeds: range) -> Iterator[str]:
    """Yield a line for every replicate that is missing, there twice, or at odds with others."""
    seen: dict[tuple[str, str, int], Row] = {}
    dense: dict[int, Row] = {}
    budgets: dict[tuple[str, str], Row] = {}
    for row in rows:
        arm, seed = _arm(row), int(row.cells["seed"])
        where = f"{path}: line {row.line}"
        if seed not in seeds:
            yield f"{where}: seed is {seed}; params.yaml has {seeds[0]} to {seeds[-1]}"
        if (first := seen.setdefault((*arm, seed), row)) is not row:
            yield f"{where}: it has the arm and the seed of line {first.line}"
        for name, others in (
            ("dense_test_top1_percent", dense.setdefault(seed, row)),
            ("epochs", budgets.setdefault(arm, row)),
        ):
            if others.cells[name] != row.cells[name]:
                told = f"{name} is {row.cells[name]}, but {others.cells[name]}"
                yield f"{where}: {told} in line {others.line}"
        yield from (f"{where}: {told}" for told in _measured(row))
    for method in study.methods:
        for schedule in study.schedules:
            for seed in seeds:
                if (method, schedule, seed) not in seen:
                    yield f"{path}: has no row of {method}, {schedule}, seed {seed}"


def arms_missing(rows: Rows, study: Kept) -> Iterator[str]:
    """Yield a line for every arm that is missing from a table, or there twice."""
    wanted = {(method, schedule) for method in study.methods for schedule in study.schedules}
    ours = Recomputed(study)
    tables = {"arms": wanted, "origins": wanted}
    tables["paired"] = {arm for arm in wanted if ours.baseline(*arm) != arm[1]}
    for path in rows:
        lines: dict[tuple[str, str], int] = {}
        for row in rows[path] if path.stem in tables else ():
            if (first := lines.setdefault(_arm(row), row.line)) != row.line:
                yield f"{path}: line {row.line}: it has the arm of line {first}"
        for method, schedule in sorted(tables.get(path.stem, set()) - {*lines}):
            yield f"{path}: has no row of {method}, {schedule}"


def _measured(row: Row) -> Iterator[str]:
    """Yield what is wrong with which cells are empty."""
    gone, score = row.cells["diverged_in_epoch"], row.cells[SCORES[0]]
    if gone and (full := [n for n in (*SCORES, "test_loss") if row.cells[n]]):
        yield f"{full[0]} is {row.cells[full[0]]}; a replicate that diverged has none"
    if not gone and not score:
        yield f"{SCORES[0]} is empty; only a replicate that diverged has none"


def _arm(row: Row) -> tuple[str, str]:
    return row.cells["method"], row.cells["schedule"]


def _read(tables: Path) -> Rows:
    """Read the tables that are checked; a study that was kept before has no origins."""
    paths = {name: tables / f"{name}.csv" for name in TABLES}
    there = {name: path for name, path in paths.items() if name != "origins" or path.is_file()}
    return {path: read(path, TABLES[name]) for name, path in there.items()}
