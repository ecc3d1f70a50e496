"""What made an output: a note beside the outputs of an expensive stage, with them in the cache.

`dvc commit -f` records whatever lies there as made by the present params.yaml, and DVC asks nobody.
The note goes where the outputs go, so what it says and what dvc.lock says can be compared.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS, read_yaml

FOLDER = "build/made/"
LOCK = Path("dvc.lock")


def note(params: Mapping[str, Any], deps: Iterable[str]) -> dict[str, Any]:
    """Return a note: the settings that made the outputs, and the MD5 of files they depend on."""
    files = [Path(dep) for dep in deps if Path(dep).is_file()]
    return {"params": params, "files": {str(file): _md5(file) for file in files}}


def check_made() -> None:
    """Raise a Fault where dvc.lock records other settings or files than made the outputs."""
    recorded = (read_yaml(LOCK).get("stages") or {}) if LOCK.is_file() else {}
    false = {name: keys for name, entry in recorded.items() if (keys := list(_false(entry)))}
    if false:
        told = "; ".join(f"{name} by another {', '.join(keys)}" for name, keys in false.items())
        raise Fault(
            f"{LOCK}: it records outputs that others made, as `dvc commit -f` does: {told}; "
            f"run `dvc repro -f -s {' '.join(false)}`, then `dvc repro`"
        )


def _false(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of params.yaml and the files that an entry records unlike the note."""
    for out in entry.get("outs", ()):
        file = Path(out["path"])
        if out["path"].startswith(FOLDER) and file.is_file() and _md5(file) == out.get("md5"):
            params, files = (_read(file, part) for part in ("params", "files"))
            settings = entry.get("params", {}).get(str(PARAMS), {})
            digests = {dep["path"]: dep.get("md5") for dep in entry.get("deps", ())}
            for made, recorded in ((params, settings), (files, digests)):
                yield from (key for key in made if key in recorded and recorded[key] != made[key])


def _read(file: Path, part: str) -> dict[str, Any]:
    """Return a part of a note; nothing where it has another form."""
    try:
        found = json.loads(file.read_bytes())[part]
    except (ValueError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, partial(hashlib.md5, usedforsecurity=False)).hexdigest()
