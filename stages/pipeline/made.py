"""What made an output: a note beside the outputs of an expensive stage, with them in the cache.

`dvc commit -f` records whatever lies there as made by the present params.yaml, and DVC asks nobody.
The note goes where the outputs go, so what it says and what dvc.lock says can be compared.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS, read_yaml

FOLDER = "build/made/"
LOCK = Path("dvc.lock")


def check_made() -> None:
    """Raise a Fault where dvc.lock records other settings than those that made the outputs."""
    recorded = read_yaml(LOCK)["stages"] if LOCK.is_file() else {}
    false = {name: keys for name, entry in recorded.items() if (keys := list(_false(entry)))}
    if false:
        told = "; ".join(f"{name} by another {', '.join(keys)}" for name, keys in false.items())
        raise Fault(
            f"{LOCK}: it records outputs that others made, as `dvc commit -f` does: {told}; "
            f"run `dvc repro -f -s {' '.join(false)}`, then `dvc repro`"
        )


def _false(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of params.yaml that an entry records with another value than the note."""
    for out in entry.get("outs", ()):
        note = Path(out["path"])
        if out["path"].startswith(FOLDER) and note.is_file() and _md5(note) == out.get("md5"):
            made = _read(note)
            recorded = entry.get("params", {}).get(str(PARAMS), {})
            yield from (key for key in made if key in recorded and recorded[key] != made[key])


def _read(note: Path) -> dict[str, Any]:
    """Return the keys in a note; none where it has another form, and says nothing."""
    try:
        params = json.loads(note.read_bytes())["params"]
    except (ValueError, LookupError, TypeError):
        return {}
    return params if isinstance(params, dict) else {}


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
