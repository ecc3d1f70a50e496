"""The digests of the code that every stage runs: `code` writes them, every stage checks its own.

The code of a stage is the closure of its imports below stages/, and every other file (a template)
in the folders of that closure. Docstrings and comments do not count.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stages.pipeline.fault import Fault
from stages.pipeline.files import is_inside, read_json
from stages.pipeline.params import lookup, read_yaml
from stages.pipeline.source import read_source

CODE = Path("build/code.json")
PLUMBING = frozenset(
    f"stages/pipeline/{name}.py"
    for name in (
        "command",
        "cores",
        "declaration",
        "digests",
        "fault",
        "guard",
        "machine",
        "source",
        "watch",
    )
)
"""Files whose text is no part of any digest, though what they import is.

They pass names and paths on and hold no default that reaches a room.
"""
BUILDS = "stages/networks/building.py"
"""The file that imports `model.code`; who runs it runs what the network's file imports."""
COMMAND = re.compile(r"-m stages\.(\w+)")
DIGITS = 16


@dataclass(frozen=True)
class Code:
    """A file of code: the digest of what counts of it, and the project's files that it imports."""

    digest: str
    imports: tuple[str, ...] = ()


Read = Callable[[str], Code]


def code_digests(model_code: str) -> dict[str, str]:
    """Return the digest of every stage that dvc.yaml runs, `code` apart, by its key `code_NAME`."""
    read = cache(read_code)
    return {f"code_{name}": code_digest(name, model_code, read) for name in _modules()}


def code_digest(module: str, model_code: str, read: Read | None = None) -> str:
    """Return the digest of the code of stages/MODULE.py, which may build `model_code`."""
    read = read or cache(read_code)
    files = sorted(code_files(module, model_code, read))
    text = json.dumps([(path, read(path).digest) for path in files])
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def check_code(module: str, model_code: str) -> str:
    """Return the digest of a stage's code; a Fault when build/code.json records another.

    `dvc repro` digests the code before it runs anything. Its option `-s`, `dvc commit -f` and edits
    under a running stage pass by that, and would record new code under an old digest.
    """
    digest = code_digest(module, model_code)
    _compare({f"code_{module}": digest}, read_json(CODE))
    return digest


def check_codes(model_code: str) -> None:
    """Raise a Fault when build/code.json is not what `code` would write."""
    _compare(code_digests(model_code), read_json(CODE))


def _compare(live: dict[str, str], recorded: dict[str, str]) -> None:
    edited = sorted(key.removeprefix("code_") for key in live if live[key] != recorded.get(key))
    if edited:
        raise Fault(
            f"{CODE}: the code of {', '.join(edited)} has another digest now; "
            "run `dvc repro -f -s code`, then `dvc repro`"
        )


def code_files(module: str, model_code: str, read: Read) -> set[str]:
    """Return the files that the digest of stages/MODULE.py is made of.

    The network's own file is not among them: it is a dependency in dvc.yaml. Raises a Fault for
    code of the project that is imported from outside stages/: no stage would see an edit of it.
    """
    found = _closure(f"stages/{module}.py", read)
    if BUILDS in found:
        _check_model(model_code)
        found |= _closure(model_code, read) - {model_code}
    folders = {Path(path).parent for path in found}
    return (found - PLUMBING) | {path for folder in folders for path in _other_files(folder)}


def read_code(path: str) -> Code:
    """Read a file of code as it is now; a Fault when there is none, or a link leads outside.

    What is outside the project is in no commit of it, and changes without one.
    """
    if not is_inside(path):
        raise Fault(f"{path}: a link to {Path(path).resolve()}, outside the project; copy it here")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise Fault(f"{path}: {error.strerror}; a stage of dvc.yaml runs it") from None
    return parse_code(path, content)


def parse_code(path: str, content: bytes) -> Code:
    """Return what counts of a file with this content."""
    if not path.endswith(".py"):
        return Code(hashlib.sha256(content).hexdigest())
    source = read_source(path, content)
    files = tuple(file for name in sorted(source.imports) for file in _module_files(name))
    for file in files:
        if not file.startswith("stages/"):
            raise Fault(
                f"{path}: it imports {file}, and no stage would see an edit of that file; "
                f"move it below stages/, for instance to stages/models/{Path(file).name}"
            )
    return Code(source.digest, files)


def _check_model(path: str) -> None:
    inside = not Path(path).is_absolute() and ".." not in Path(path).parts
    if not (inside and path.endswith(".py") and Path(path).is_file()):
        raise Fault(
            f"params.yaml: model.code is {path!r}; it should be a Python file of the project"
        )


def _modules() -> list[str]:
    """Return the stage modules that dvc.yaml names, without the one that digests the others."""
    stages = lookup(read_yaml("dvc.yaml"), "stages", "dvc.yaml")
    commands = [str(stage.get("cmd")) for stage in stages.values()]
    return sorted({name for text in commands for name in COMMAND.findall(text)} - {"code"})


def _closure(file: str, read: Read) -> set[str]:
    """Return the project's files that a file imports, directly or not, its packages and itself."""
    found: set[str] = set()
    waiting = [file, *_module_files(".".join(Path(file).parent.parts))]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += read(path).imports
    return found


def _module_files(name: str) -> list[str]:
    """Return the project's files that Python runs to import a dotted name.

    It is asked for thousands of names whenever a stage checks its code: a Path would take ten times
    as long as the question to the system.
    """
    top, *inner = name.split(".")
    paths = [top]
    if inner and os.path.isdir(top):  # noqa: PTH112
        paths += ["/".join([top, *inner[: n + 1]]) for n in range(len(inner))]
    files = [file for path in paths for file in (f"{path}.py", f"{path}/__init__.py")]
    return [file for file in files if os.path.isfile(file)]  # noqa: PTH113


def _other_files(folder: Path) -> list[str]:
    """Return the files of a folder that hold no Python, without hidden ones and editors' copies."""
    names = [p.name for p in folder.iterdir() if p.suffix != ".py" and p.is_file()]
    return [f"{folder.as_posix()}/{n}" for n in names if n[0] != "." and n[-1] != "~"]
