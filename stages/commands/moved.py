"""Whether another environment than the committed report's moved its numbers, and a verdict."""

import csv
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from stages.commands.git import git
from stages.commands.places import REPORTS
from stages.pipeline.command import run
from stages.pipeline.digests import CODE
from stages.pipeline.params import PARAMS, parse_yaml

app = typer.Typer(add_completion=False)
RESULTS = (REPORTS / "dense.json", REPORTS / "arms")
TABLES = REPORTS / "tables"
ACCURACY = "test_top1_percent_mean"
VERDICTS = {
    "winners": ("winner", "{method} at {epochs} epochs"),
    "paired": ("verdict", "{method}-{schedule} against {baseline}"),
    "crossed": ("verdict", "{first} against {second} ({comparison})"),
    "claims": ("verdict", "claim {claim} ({part}: {comparison}, epochs {epochs})"),
}
"""The tables that hold verdicts: in which column, and what a row is about, its key."""
ASIDE = re.compile(r" \(highest in [^)]*\)")
"""What the comparison of a claim says of its result."""
MOST = 5
"""Verdicts of a kind that a line names."""
Rows = list[dict[str, str]]
Read = Callable[[Path], str | None]
"""What reads a file: as it lies here, or as the last commit has it; None where there is none."""


@app.command()
def main() -> None:
    """Say whether this report comes from another environment than the one of the last commit.

    If so, by how much accuracies moved, and which verdicts did. Of reports of other settings or
    other code nothing is said: there the environment is one of several reasons.
    """
    print(moved() or "the report is of the same environment as that of the last commit, or of "
          "other settings or code")  # fmt: skip


def moved() -> str:
    """Say it in one line; nothing where there is no such difference."""
    changed = [path for path in map(Path, _changed()) if path.is_file()]
    if not changed or _of_others() or not _compared(changed):
        return ""
    found = Counter(change for path in changed for change in _environment(path))
    if not found:
        return ""
    changes = ", ".join(f"{key} {old} -> {new}" for key, old, new in found)
    return (
        f"The environment differs from that of the committed report ({changes}): mean accuracies "
        f"moved by up to {_farthest():.2f} points; {_verdicts()}."
    )


def _changed() -> list[str]:
    """Return the results that differ from the last commit's; none where there is no commit."""
    found = git("diff", "--name-only", "--relative", "HEAD", "--", *map(str, RESULTS))
    return (found or "").splitlines()


def _of_others() -> bool:
    """Whether the settings or the digests of the code differ from the last commit's."""
    code, settings = ([read(path) for read in (_here, _committed)] for path in (CODE, PARAMS))
    if None in (*code, *settings):
        return True
    now, then = (parse_yaml(text or "", PARAMS) for text in settings)
    return now != then or code[0] != code[1]


def _compared(results: list[Path]) -> bool:
    """Whether the tables are made of these results: a run that failed may have left older ones."""
    table = TABLES / "arms.csv"
    latest = max(path.stat().st_mtime for path in results)
    return table.is_file() and table.stat().st_mtime >= latest


def _environment(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield what differs between the environments of a result: key, value then, value now."""
    now, then = (_object(read(path)).get("environment", {}) for read in (_here, _committed))
    if now and then:
        for key in sorted({*now, *then}):
            if now.get(key) != then.get(key):
                yield key, str(then.get(key, "none")), str(now.get(key, "none"))


def _farthest() -> float:
    """Return by how many points the mean accuracy of an arm moved at most."""
    now, then = (_by_arm(_rows(read, "arms")) for read in (_here, _committed))
    return max((abs(now[arm] - then[arm]) for arm in now.keys() & then.keys()), default=0.0)


def _verdicts() -> str:
    """Say which verdicts moved, and what was compared in one of the two environments alone."""
    moved, gone, new = [], [], []
    for table in VERDICTS:
        now, then = (_of_table(_rows(read, table), table) for read in (_here, _committed))
        both = [what for what in now if what in then and now[what] != then[what]]
        moved += [f"{what} {then[what]} -> {now[what]}" for what in both]
        gone += [what for what in then if what not in now]
        new += [what for what in now if what not in then]
    kinds = {"verdicts moved": moved, "no longer compared": gone, "new": new}
    said = [_some(kind, found) for kind, found in kinds.items() if found]
    return "; ".join(said if moved else ["no verdict moved", *said])


def _of_table(rows: Rows, table: str) -> dict[str, str]:
    """Return the verdicts of a table by what they are about; not those that compare nothing."""
    column, what = VERDICTS[table]
    compared = [row for row in rows if column in row and row.get("comparison", table)]
    return {ASIDE.sub("", what.format_map(row)): row[column] for row in compared}


def _some(kind: str, found: Sequence[str]) -> str:
    rest = f", and {len(found) - MOST} more" if len(found) > MOST else ""
    return f"{kind}: {', '.join(found[:MOST])}{rest}"


def _rows(read: Read, table: str) -> Rows:
    return list(csv.DictReader((read(TABLES / f"{table}.csv") or "").splitlines()))


def _by_arm(rows: Rows) -> dict[tuple[str, str], float]:
    known = [row for row in rows if row.get(ACCURACY)]
    return {(row["method"], row["schedule"]): float(row[ACCURACY]) for row in known}


def _object(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _here(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _committed(path: Path) -> str | None:
    return git("show", f"HEAD:./{path}")


if __name__ == "__main__":
    run(app)
