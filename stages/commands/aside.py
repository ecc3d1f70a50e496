"""A copy of the project beside it, with the same cache and finished replicates, to try things in.

A run there changes nothing of the project's params.yaml, dvc.lock, models and reports.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS, lookup, read_yaml
from stages.pipeline.recovery import locked

FOLDER = Path(".dvc/tmp/exps/search")
"""Below the folder of DVC's own temporary copies, where stages find the project's `.state`."""
FILES = ("dvc.yaml", "dvc.lock", ".dvcignore", ".dvc/config", ".dvc/config.local", str(PARAMS))
WAITING = "another search runs in this project: waiting for it"
PREPARED = "prepared"
"""The one output among the data."""


@contextmanager
def project_aside() -> Iterator[None]:
    """Make a copy of the project the current folder; it is removed at the end."""
    with locked(FOLDER, WAITING):
        shutil.rmtree(FOLDER, ignore_errors=True)
        try:
            tree = read_yaml()
            named = [str(lookup(tree, key)) for key in ("data.root", "train.weights")]
            folder = FOLDER.joinpath(*_above(named))
            _copy(folder, named, str(lookup(tree, "model.code")))
            with chdir(folder):
                yield
        finally:
            shutil.rmtree(FOLDER, ignore_errors=True)


def _above(named: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the folders, the project's last, that paths such as ../images climb.

    Below FOLDER, the copy lies in folders of the same names: those paths lead to links that go with
    FOLDER. Other paths would be other settings, of which the cache holds no results.
    """
    climbs = max(Path(os.path.normpath(name)).parts.count(os.pardir) for name in named)
    return Path.cwd().parts[1:][-climbs:] if climbs else ()


def _copy(folder: Path, named: Iterable[str], code: str) -> None:
    shutil.copytree("stages", folder / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in (*FILES, code):
        if Path(name).is_file() and not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, folder / name)
    data = [str(path) for path in Path("data").iterdir() if path.name != PREPARED]
    for name in (*data, *named):
        _link(Path(name), folder / name)
    cache = _dvc("cache", "dir")
    _dvc("config", "--local", "cache.dir", cache, folder=folder)
    _dvc("config", "--local", "core.no_scm", "true", folder=folder)


def _link(path: Path, link: Path) -> None:
    """Let `link` lead to a path, unless a folder above it does or the path is absolute."""
    if path.exists() and not link.exists():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path.absolute())


def _dvc(*words: str, folder: Path = Path()) -> str:
    asked = [sys.executable, "-m", "dvc", *words]
    done = subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Fault(done.stderr.strip().removeprefix("ERROR: "))
    return done.stdout.strip()
