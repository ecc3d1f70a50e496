"""Copy the report and the settings of a finished study to reports/studies, for git."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_text
from stages.pipeline.made import check_made
from stages.pipeline.params import PARAMS, shown
from stages.pipeline.section import NAME

app = typer.Typer(add_completion=False)
REPORTS = Path("reports")
PARTS = ("headline.json", "curves", "figures", "tables", "latency")
"""Of the report; `latency` is there where times were asked for."""


@app.command()
def main(
    name: Annotated[str, typer.Argument(help="The name of the study, such as its preset's.")],
) -> None:
    """Copy the finished report and params.yaml to reports/studies/NAME, for git."""
    if not re.fullmatch(NAME, name):
        raise Fault(f"the study's name is {shown(name)}; it should match {NAME}")
    if subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"]).returncode:
        raise Fault("the report is not that of params.yaml; run `dvc repro` first")
    check_made()
    folder = REPORTS / "studies" / name
    keep(folder)
    print(f"{folder}/README.md is the report to add to git")


def keep(folder: Path) -> None:
    """Copy the report, all that it links to, and params.yaml to `folder`; replace what is there.

    The page's links are relative, so they work from there too.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    for part in PARTS:
        source, target = REPORTS / part, aside / part
        if part == "latency" and not source.exists():
            continue
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    shutil.copyfile(PARAMS, aside / PARAMS.name)
    head, _, body = (REPORTS / "README.md").read_text(encoding="utf-8").partition("\n")
    note = f"The study `{folder.name}`: the settings are in [params.yaml]({PARAMS.name})."
    write_text(aside / "README.md", f"{head}\n\n{note}\n{body}")
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


if __name__ == "__main__":
    run(app)
