"""What `dvc repro` would run, and why, before anything runs."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from stages.commands.edits import edits
from stages.commands.forecast import Forecast, Future, forecasts
from stages.commands.layout import columns
from stages.pipeline.command import faults_in_one_line
from stages.pipeline.digests import check_codes, code_digests
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_json, write_text
from stages.pipeline.params import lookup, parse, read_yaml
from stages.study.checks import check
from stages.study.settings import Study, rewind_epochs

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
    model_code = str(lookup(read_yaml(), "model.code"))
    outputs: dict[str, str] = {}
    try:
        outputs = validated(parse(Study, read_yaml()))
    except Fault as fault:
        print(f"{fault}\n`validate` stops on this. What would run once it is mended:\n")
    digests = code_digests(model_code)
    found = forecasts(targets, Future(digests, edits(digests, model_code), outputs))
    if all(each.stage != "code" for each in found):
        _warn_of_stale_digests(model_code)
    print(columns(lines(found)) if found else "nothing to run")


def _warn_of_stale_digests(model_code: str) -> None:
    try:
        check_codes(model_code)
    except Fault as fault:
        print(f"{fault}\n")


def lines(found: Iterable[Forecast]) -> Iterator[tuple[str, str, str]]:
    """Yield one line for each reason."""
    for forecast in found:
        for number, reason in enumerate(forecast.reasons):
            yield ("", "", reason) if number else (forecast.stage, forecast.verdict, reason)


def validated(study: Study) -> dict[str, str]:
    """Return the MD5 of what `validate` would write, by path; a Fault where it would stop."""
    check(study)
    with TemporaryDirectory() as folder:
        write_text(Path(folder, "params.ok"), "ok\n")
        write_json(Path(folder, "rewind.json"), {"epochs": rewind_epochs(study)})
        return {
            f"build/{file.name}": hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
            for file in Path(folder).iterdir()
        }


if __name__ == "__main__":
    with faults_in_one_line():
        app()
