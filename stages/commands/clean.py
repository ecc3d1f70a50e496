"""Free what no run needs of .state: progress and finished replicates of other settings."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Annotated

import typer

from stages.commands.layout import columns
from stages.pipeline.command import run
from stages.pipeline.declaration import names
from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS, lookup, parse, read_yaml
from stages.pipeline.recovery import state_folder
from stages.pipeline.state import Kept, free, kept, unneeded
from stages.replicates.settings import Seeds

app = typer.Typer(add_completion=False)
LOCK = Path("dvc.lock")
KINDS = {
    "recorded": "finished, and in dvc.lock and the cache",
    "finished": "finished, and not in dvc.lock",
    "unfinished": "unfinished",
    "used": "used by a process that runs",
    "lock": "lock files of what is gone",
}
SHARED = "\nanother {} MB stay on the disk: they are linked to the outputs or to DVC's cache"


@app.command()
def main(
    everything: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Free all of it, but for what a process uses: "
            "more seeds or a forced run train every replicate again.",
        ),
    ] = False,
    dry: Annotated[
        bool, typer.Option("--dry", help="Say what would be freed; free nothing.")
    ] = False,
) -> None:
    """Say what .state holds, and free what no run of the present settings would take.

    That run takes, of the stages and seeds of params.yaml, the replicates in dvc.lock, when there
    are more seeds, and the newest of the others, which an interrupted run has finished or begun.
    """
    needed = set() if everything else _replicates()
    found = kept(_recorded())
    unused = list(unneeded(found, needed))
    freed = unused if dry else [each for each in unused if free(each)]
    print(table(found, freed, "would be freed" if dry else "freed"))


def table(found: Collection[Kept], freed: Collection[Kept], verb: str) -> str:
    """Lay out number and size of each kind of thing, what is freed and what is there.

    What outputs or DVC's cache share with .state by links frees no space when it goes from there.
    """
    rows = [(f"{state_folder()}:", "number", "MB", verb, "MB")]
    for kind, words in KINDS.items():
        rows.append(
            (words, *_row(*([e for e in part if e.kind == kind] for part in (found, freed))))
        )
    rows.append(("all", *_row(found, freed)))
    shared = sum(each.size - each.alone for each in freed)
    return columns(rows) + (SHARED.format(_mb(shared)) if shared else "")


def _row(here: Collection[Kept], gone: Collection[Kept]) -> tuple[str, str, str, str]:
    size, freed = sum(each.size for each in here), sum(each.alone for each in gone)
    return f"{len(here)}", _mb(size), f"{len(gone)}", _mb(freed)


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f}"


def _replicates() -> set[str]:
    """Return the names of all replicates that a run of the present settings has."""
    seeds: int = parse(Seeds, lookup(read_yaml(PARAMS), "seeds"), "seeds")
    return {f"{name}-{number}" for name in names() for number in range(seeds)}


def _recorded() -> Callable[[Path], bool]:
    """Return what tells whether a file is in dvc.lock's outputs and DVC's cache, by its MD5."""
    known = set(_cached()) if LOCK.exists() else set()

    def recorded(file: Path) -> bool:
        with file.open("rb") as content:
            return hashlib.file_digest(content, _md5).hexdigest() in known

    return recorded


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _cached() -> Iterator[str]:
    """Yield the MD5 of every file of an output of dvc.lock that lies in DVC's cache."""
    folder = _cache()
    for stage in (read_yaml(LOCK).get("stages") or {}).values():
        for out in (each for each in stage.get("outs", ()) if "md5" in each):
            held = _object(folder, out["md5"])
            if held.suffix != ".dir":
                files = [out["md5"]]
            elif held.is_file():
                files = [entry["md5"] for entry in json.loads(held.read_bytes())]
            else:
                files = []
            yield from (md5 for md5 in files if _object(folder, md5).is_file())


def _object(folder: Path, md5: str) -> Path:
    return folder / md5[:2] / md5[2:]


def _cache() -> Path:
    asked = [sys.executable, "-m", "dvc", "cache", "dir"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise Fault(answer.stderr.strip().splitlines()[-1])
    return Path(answer.stdout.strip(), "files", "md5")


if __name__ == "__main__":
    run(app)
