"""Which code was edited since results were last recorded, by what counts of it."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from stages.commands.git import git
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
    base = (git("log", "-1", "--format=%H", "--", "dvc.lock") or "").strip()
    if not base:
        return set()
    tracked = git("diff", "--name-only", "--relative", base, "--", "stages") or ""
    new = git("ls-files", "--others", "--exclude-standard", "--", "stages") or ""
    return {path for path in (tracked + new).splitlines() if _differs(path, base)}


def _differs(path: str, base: str) -> bool:
    file = Path(path)
    if not file.is_file():
        return True
    before = git("show", f"{base}:./{path}") or ""
    try:
        now = parse_code(path, file.read_bytes())
        return parse_code(path, before.encode()).digest != now.digest
    except Fault:
        return True
