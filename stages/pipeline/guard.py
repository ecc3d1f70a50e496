"""What surrounds every stage: its declaration, the digests of its dependencies, its outputs aside.

DVC hashes dependencies after a command ends (its issue 11058): what was edited while a stage runs
would be recorded as what made its outputs. A guarded stage digests what it declares, and the code
that it runs, before and after, and refuses to finish when they differ. Outputs are built aside and
moved into place last.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import psutil

from stages.pipeline import made
from stages.pipeline.declaration import Declaration, declared
from stages.pipeline.digests import check_code
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_json
from stages.pipeline.manifest import sync
from stages.pipeline.params import lookup, parse, read_yaml
from stages.pipeline.recovery import Work, recoverable
from stages.pipeline.watch import end_with_dvc

ASIDE = Path("build/aside")
ASIDE_ELSEWHERE = ".aside"
"""The folder for that in a folder of the project that is on another disk than `build`."""
REPLICATE = re.compile(r"replicate_(\d+)(?:\.|/|$)")
T = TypeVar("T")


@dataclass
class Stage:
    """A running stage: what it may read, and where it builds what it writes."""

    name: str
    module: str
    declaration: Declaration
    tree: dict[str, Any]
    params: dict[str, Any]
    digests: dict[str, str]
    code: str
    aside: Path
    built: dict[str, Path] = field(default_factory=dict)

    def declares(self, key: str) -> bool:
        """Whether dvc.yaml lists a key of params.yaml for this stage."""
        return any(known in ("", key) or key.startswith(f"{known}.") for known in self.params)

    def read(self, key: str, kind: type[T]) -> T:
        """Return the typed value of a key of params.yaml that dvc.yaml declares for this stage."""
        if self.declares(key):
            return parse(kind, lookup(self.tree, key), key)
        raise Fault(f"dvc.yaml: stage {self.name!r} reads {key} but does not list it under params")

    def output(self, path: str) -> Path:
        """Return where to build a declared output; it is moved to `path` when the stage ends."""
        if path not in self.declaration.outs:
            raise Fault(
                f"dvc.yaml: stage {self.name!r} writes {path} but does not list it as output"
            )
        if path not in self.built:
            folder = _aside_of(Path(path), self.aside) / str(len(self.built))
            folder.mkdir(parents=True)
            self.built[path] = folder / Path(path).name
        return self.built[path]

    @contextmanager
    def replicate(
        self, number: int, narrowed: Mapping[str, str] | None = None, **more: Any
    ) -> Iterator[Work]:
        """Yield one replicate's work, to be done in a folder that outlives a crash, or finished.

        `narrowed` gives the digest of the part of a dependency that this replicate reads, by the
        dependency's path; `more` is what else its result depends on, its environment say.
        """
        key = f"{self.name}-{number}-{self.key(number, narrowed or {}, **more)}"
        with recoverable(key, self.check) as work:
            yield work

    def key(self, replicate: int, narrowed: Mapping[str, str], **more: Any) -> str:
        """Return the digest of all that one replicate's result depends on.

        Neither the number of replicates nor the files of another replicate take part.
        """
        params = {key: value for key, value in self.params.items() if key != "seeds"}
        files = {
            path: narrowed.get(path, digest)
            for path, digest in self.digests.items()
            if self._replicate(path) in (None, replicate)
        }
        whole = [self.name, self.code, replicate, params, files, more]
        return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]

    def check(self) -> None:
        """Raise a Fault that names what changed since the stage began.

        A replicate calls it once its inputs are loaded, and again before its result is kept under
        `key`: images are mapped, so that an edit in place would reach it while it trains.
        """
        code = _checked_code(self.module, self.tree)
        params, digests = _params(self.declaration, read_yaml()), _digests(self.declaration)
        changed = [f"build/code.json: code_{self.module}"] if code != self.code else []
        changed += [f"params.yaml: {key}" for key in params if params[key] != self.params[key]]
        both = {*digests, *self.digests}
        changed += sorted(path for path in both if digests.get(path) != self.digests.get(path))
        if changed:
            raise Fault(
                f"stage {self.name!r}: {', '.join(changed)} changed while it ran; "
                "its outputs are dropped, run `dvc repro` again"
            )

    def _replicate(self, path: str) -> int | None:
        """Return the replicate whose file this is, by its name inside the dependency."""
        dep = max((d for d in self.declaration.deps if path.startswith(d)), key=len)
        found = REPLICATE.findall(path.removeprefix(dep))
        return int(found[-1]) if found else None


@contextmanager
def guarded(module: str, **items: str) -> Iterator[Stage]:
    """Run the stage of dvc.yaml that stages/<module>.py is; `items` are its matrix values."""
    end_with_dvc()
    declaration = declared(module, items)
    tree = read_yaml()
    params, digests = _params(declaration, tree), _digests(declaration)
    code = _checked_code(module, tree)
    ASIDE.mkdir(parents=True, exist_ok=True)
    _sweep()
    name = "-".join([declaration.name, *items.values()])
    aside = ASIDE / f"{name}.{os.getpid()}"
    stage = Stage(name, module, declaration, tree, params, digests, code, aside)
    try:
        yield stage
        stage.check()
        _publish(stage)
    finally:
        for folder in _asides():
            shutil.rmtree(folder / aside.name, ignore_errors=True)


def _checked_code(module: str, tree: dict[str, Any]) -> str:
    """Return the digest of a stage's code; a Fault where build/code.json holds another."""
    return "" if module == "code" else check_code(module, str(lookup(tree, "model.code")))


def _params(declaration: Declaration, tree: dict[str, Any]) -> dict[str, Any]:
    return {key: lookup(tree, key) for key in declaration.params}


def _digests(declaration: Declaration) -> dict[str, str]:
    return {str(f): _digest(f, _version(f)) for dep in declaration.deps for f in _files(Path(dep))}


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise Fault(f"{path}: no such file or folder; run `dvc repro` to make it")
    if path.is_file():
        return [path]
    return sorted(p for p in path.rglob("*") if p.is_file() and "__pycache__" not in p.parts)


def _version(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@cache
def _digest(path: Path, version: tuple[int, int]) -> str:
    """Return a file's SHA-256, read once per version."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _publish(stage: Stage) -> None:
    for path in stage.declaration.outs:
        if path.startswith(made.FOLDER):  # moved last: what it says holds of all
            write_json(stage.output(path), made.note(stage.params, stage.declaration.deps))
    missing = [
        out
        for out in stage.declaration.outs
        if out not in stage.built or not stage.built[out].exists()
    ]
    if missing:
        raise Fault(
            f"dvc.yaml: stage {stage.name!r} lists {', '.join(missing)} but did not write it"
        )
    _sync(stage.built.values())
    _replace(stage)


def _replace(stage: Stage) -> None:
    """Move the outputs into place: the old ones are all gone before the first new one is there.

    A process killed in between leaves outputs missing, never old ones beside new ones.
    """
    targets = [Path(path) for path in stage.built]
    for number, target in enumerate(targets):
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(target):
            old = _aside_of(target, stage.aside) / "old" / str(number)
            old.mkdir(parents=True)
            shutil.move(target, old)
    for target, built in zip(targets, stage.built.values(), strict=True):
        shutil.move(built, target)
    sync({target.parent for target in targets})


def _sync(outputs: Iterable[Path]) -> None:
    for output in outputs:
        sync([output, *output.rglob("*")] if output.is_dir() else [output])


def _aside_of(output: Path, aside: Path) -> Path:
    """Return a folder to build an output in, from where one rename moves it: on the same disk."""
    parent = next(folder for folder in output.parents if folder.exists())
    if parent.stat().st_dev == ASIDE.stat().st_dev:
        return aside
    return Path(output.parts[0], ASIDE_ELSEWHERE, aside.name)


def _sweep() -> None:
    """Remove what killed stages left aside, also one that had this process's number."""
    for folder in (each for aside in _asides() for each in aside.glob("*.*")):
        pid = folder.suffix[1:]
        if pid.isdecimal() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid))):
            shutil.rmtree(folder, ignore_errors=True)


def _asides() -> list[Path]:
    return [ASIDE, *Path().glob(f"*/{ASIDE_ELSEWHERE}")]
