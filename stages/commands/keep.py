"""Keep the report of a study in git, with the settings that made it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from stages.cli import run
from stages.fault import Fault
from stages.files import write_text
from stages.params.load import PARAMS

app = typer.Typer(add_completion=False)
REPORTS = Path("reports")
PARTS = ("headline.json", "figures", "tables")
NAME = r"[a-z][a-z0-9_]*"


@app.command()
def main(
    name: Annotated[str, typer.Argument(help="What to call the study, its preset say.")],
) -> None:
    """Copy the finished report and params.yaml to reports/studies/NAME, for git."""
    if not re.fullmatch(NAME, name):
        raise Fault(f"the study's name is {name!r}; it should match {NAME}")
    if subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"]).returncode:
        raise Fault("the report is not that of params.yaml; run `dvc repro` first")
    folder = REPORTS / "studies" / name
    keep(folder)
    print(f"{folder}/README.md is the report to add to git")


def keep(folder: Path) -> None:
    """Copy report, tables, figures, headline and params.yaml to `folder`, replacing what is there.

    Links of the page are relative, so they work from there too.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    for part in PARTS:
        source, target = REPORTS / part, aside / part
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
