"""Presets: whole params.yaml files, one for each study of the literature that ships with us."""

import difflib
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from stages.cli import run
from stages.commands.layout import columns
from stages.fault import Fault
from stages.files import write_text
from stages.params.load import PARAMS, nearest

app = typer.Typer(add_completion=False)
FOLDER = Path(__file__).parents[1] / "presets"


@app.command()
def main(
    name: Annotated[str | None, typer.Argument(help="A preset. Default: list them all.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print it; change nothing.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print how it differs from params.yaml; change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite changes to params.yaml that exist nowhere.")
    ] = False,
) -> None:
    """Make a preset the params.yaml of this project, or list the presets."""
    presets = read_presets()
    if name is None:
        print(columns([(name, title(text)) for name, text in presets.items()]))
        return
    if name not in presets:
        raise Fault(f"no preset {name!r}; {nearest(name, presets)}")
    if show:
        print(presets[name], end="")
    elif diff:
        print(difference(PARAMS.read_text(encoding="utf-8"), presets[name], name), end="")
    else:
        if not force:
            _refuse_loss(presets)
        write_text(PARAMS, presets[name])
        print(f"{PARAMS} is now the preset {name}. Next: dvc repro, then read reports/README.md")


def read_presets() -> dict[str, str]:
    """Return the text of every preset by name."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.yaml"))}


def title(text: str) -> str:
    """Return the first line of a preset, a comment that says what it is."""
    return text.partition("\n")[0].removeprefix("#").strip()


def difference(ours: str, preset: str, name: str) -> str:
    """Return a unified diff from params.yaml to a preset."""
    before, after = ours.splitlines(keepends=True), preset.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, f"{PARAMS}", f"preset {name}"))


def _refuse_loss(presets: dict[str, str]) -> None:
    """Raise a Fault where params.yaml is neither a preset nor what the last commit holds."""
    if not PARAMS.exists() or PARAMS.read_text(encoding="utf-8") in presets.values():
        return
    command = ["git", "diff", "--quiet", "HEAD", "--", str(PARAMS)]
    if subprocess.run(command, capture_output=True).returncode:
        raise Fault(f"{PARAMS} has changes that are not committed; commit them or add --force")


if __name__ == "__main__":
    run(app)
