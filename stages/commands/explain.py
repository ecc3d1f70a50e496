"""What `dvc repro` would run, and why, before anything runs."""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from stages.commands.blame import settings_blamed
from stages.commands.edits import edits
from stages.pipeline.command import run
from stages.pipeline.digests import CODE, check_codes, code_digests
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_json, write_text
from stages.pipeline.made import check_made
from stages.pipeline.params import lookup, parse, read_yaml
from stages.runner.dry import table
from stages.runner.dvc.forecast import Future, forecasts
from stages.runner.dvc.pipeline import Pipeline
from stages.study.checks import check
from stages.study.settings import Study, rewind_epochs, starts

app = typer.Typer(add_completion=False)


@app.command()
def main(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages, as for dvc repro. Default: all.")
    ] = None,
) -> None:
    """Say what `dvc repro TARGETS` would run, and why, by file and key; run nothing.

    What is `restored` comes from DVC's cache. What `runs` behind another stage may turn out to be
    there as well; what `may run` does so only if the stages before it write something new.
    """
    with settings_blamed():
        _warn_of_false_records()
        found = forecasts(Pipeline(targets or ()), future())
    if all(each.stage != "code" for each in found):
        _warn_of_stale_digests()
    print(table(found) if found else "nothing to run")


def future() -> Future:
    """Return what `code` and `validate` will write; print what is wrong with the code or the study.

    DVC compares with build/code.json as it stands, and so sees no edit before `code` has run.
    """
    model_code = str(lookup(read_yaml(), "model.code"))
    outputs: dict[str, str] = {}
    try:
        outputs = validated(parse(Study, read_yaml()))
    except Fault as fault:
        print(f"{fault}\n`validate` stops on this. What would run once it is mended:\n")
    digests = code_digests(model_code)
    return Future({str(CODE): digests}, edits(digests, model_code), outputs, seconds)


def seconds(cores: int) -> Mapping[str, float]:
    """Return what `price` says that stages take; nothing, and why, where it cannot."""
    from stages.commands import price  # torch, for this alone

    try:
        return price.estimate(cores)
    except Fault as fault:
        print(f"times are not known: {fault}", file=sys.stderr)
        return {}


def _warn_of_false_records() -> None:
    try:
        check_made()
    except Fault as fault:
        print(f"{fault}\n")


def _warn_of_stale_digests() -> None:
    try:
        check_codes(str(lookup(read_yaml(), "model.code")))
    except Fault as fault:
        print(f"{fault}\n")


def validated(study: Study) -> dict[str, str]:
    """Return the MD5 of what `validate` would write, by path; a Fault where it would stop."""
    check(study)
    with TemporaryDirectory() as folder:
        write_text(Path(folder, "params.ok"), "ok\n")
        write_json(Path(folder, "rewind.json"), {"epochs": rewind_epochs(study)})
        write_json(Path(folder, "starts.json"), starts(study))
        return {
            f"build/{file.name}": hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
            for file in Path(folder).iterdir()
        }


if __name__ == "__main__":
    run(app)
