"""What made each arm: the environment it was trained in, and its entry of dvc.lock."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json

ORIGINS = "origins.csv"
COLUMNS = dict.fromkeys(("method", "schedule", "environment", "lock_entry"), "str")
DIGEST = 16
"""Hexadecimal digits of the hash of an entry of dvc.lock, as many as those of build/code.json."""


def origins(reports: Path, stages: Mapping[str, Any]) -> pd.DataFrame:
    """One row per arm below `reports`; `stages` are the entries of dvc.lock by name.

    The environment is JSON. The hash is the beginning of the SHA-256 of the entry that trained the
    arm, as JSON with sorted keys: of its command, settings, code, and the data and networks that
    it read and wrote. An arm without an entry has an empty cell.
    """
    rows = []
    for path in sorted(reports.glob("arms/*/*.json")):
        arm = f"{path.parent.name}-{path.stem}"
        found = [stages[name] for name in (f"retrain@{arm}", f"iterate@{arm}") if name in stages]
        entry = digest(found[0]) if found else ""
        rows.append((path.parent.name, path.stem, compact(_environment(path)), entry))
    return pd.DataFrame(rows, columns=[*COLUMNS])


def digest(entry: Mapping[str, Any]) -> str:
    """Return the hash of an entry of dvc.lock."""
    return hashlib.sha256(compact(entry).encode()).hexdigest()[:DIGEST]


def _environment(path: Path) -> Mapping[str, Any]:
    record = read_json(path)
    found = record.get("environment") if isinstance(record, dict) else None
    if not isinstance(found, dict):
        raise Fault(f"{path}: has no environment; run `dvc repro` to make it again")
    return found


def compact(value: Any) -> str:
    """Return JSON on one line, keys sorted."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
