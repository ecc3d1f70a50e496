"""Copy the report and the settings of a finished study to reports/studies, for git."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from stages.commands.joined import STUDIES, around_answers, here, join
from stages.commands.places import REPORTS
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_text
from stages.pipeline.made import check_made
from stages.pipeline.params import PARAMS, shown
from stages.pipeline.section import NAME

app = typer.Typer(add_completion=False)
LINK = re.compile(r"\]\((?![a-z]+:|#|\.\.)([^)#]+)")


@app.command()
def main(
    name: Annotated[str, typer.Argument(help="The name of the study, such as its preset's.")],
) -> None:
    """Copy the finished report and params.yaml to reports/studies/NAME, for git.

    Then write what joins all studies again, as `afterprune studies` does.
    """
    if not re.fullmatch(NAME, name):
        raise Fault(f"the study's name is {shown(name)}; it should match {NAME}")
    if subprocess.run([sys.executable, "-m", "dvc", "status", "--quiet"]).returncode:
        raise Fault("the report is not that of params.yaml; run `dvc repro` first")
    check_made()
    around_answers()  # a README that cannot take the answers is told of before anything is kept
    folder = STUDIES / name
    keep(folder)
    if name not in join():
        raise Fault(f"{folder} is kept but left out of what joins all studies, as it says above")
    print(f"{folder}/README.md is the report to add to git")


def keep(folder: Path) -> None:
    """Copy the report, all that it links to, and params.yaml to `folder`; replace what is there.

    The page's links are relative, so they work from there too. What made each arm is written beside
    the tables, since dvc.lock goes on to other studies.
    """
    from stages.reporting.studies.kept import title  # pandas
    from stages.reporting.studies.origins import ORIGINS
    from stages.reporting.tables import as_csv

    aside = folder.with_name(f".{folder.name}.{os.getpid()}")
    page = (REPORTS / "README.md").read_text(encoding="utf-8")
    for part in linked(page):
        target = aside / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if (REPORTS / part).is_dir():
            shutil.copytree(REPORTS / part, target, dirs_exist_ok=True)
        else:
            shutil.copyfile(REPORTS / part, target)
    shutil.copyfile(PARAMS, aside / PARAMS.name)
    write_text(aside / "tables" / ORIGINS, as_csv(here()))
    head, _, body = page.partition("\n")
    told = f"**{about}.** " if (about := title(PARAMS.read_text(encoding="utf-8"))) else ""
    note = f"{told}The study `{folder.name}`: the settings are in [params.yaml]({PARAMS.name})."
    write_text(aside / "README.md", f"{head}\n\n{note}\n{body}")
    shutil.rmtree(folder, ignore_errors=True)
    aside.rename(folder)


def linked(page: str) -> list[str]:
    """Return the files and folders beside a page that it links to."""
    return sorted(set(LINK.findall(page)))


if __name__ == "__main__":
    run(app)
