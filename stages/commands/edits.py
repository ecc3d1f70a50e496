"""Which code was edited since results were last recorded, by what counts of it."""

import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from stages.pipeline.digests import code_files, parse_code, read_code
from stages.pipeline.fault import Fault


def edits(keys: Iterable[str], model_code: str) -> dict[str, list[str]]:
    """Return the edited files of every stage's code by its key in build/code.json."""
    files, read = edited(), cache(read_code)
    modules = {key: key.removeprefix("code_") for key in keys}
    return {
        key: sorted(files & code_files(module, model_code, read)) for key, module in modules.items()
    }


def edited() -> set[str]:
    """Return the files below stages/ that differ from the commit that last recorded dvc.lock.

    Docstrings and comments do not count. Without git or such a commit the set is empty.
    """
    base = _git("log", "-1", "--format=%H", "--", "dvc.lock").strip()
    if not base:
        return set()
    tracked = _git("diff", "--name-only", "--relative", base, "--", "stages")
    new = _git("ls-files", "--others", "--exclude-standard", "--", "stages")
    return {path for path in (tracked + new).splitlines() if _differs(path, base)}


def _differs(path: str, base: str) -> bool:
    file = Path(path)
    if not file.is_file():
        return True
    before = _git("show", f"{base}:./{path}")
    try:
        now = parse_code(path, file.read_bytes())
        return parse_code(path, before.encode()).digest != now.digest
    except Fault:
        return True


def _git(*command: str) -> str:
    """Return what a git command prints; nothing when it fails."""
    try:
        ended = subprocess.run(
            ["git", "-c", "core.quotepath=off", *command],  # noqa: S607
            capture_output=True,
            encoding="utf-8",
        )
    except (OSError, UnicodeDecodeError):
        return ""
    return ended.stdout if ended.returncode == 0 else ""
