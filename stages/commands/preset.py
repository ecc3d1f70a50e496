"""List the studies that ship with the project, or make one the params.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from stages.commands.git import git
from stages.commands.layout import columns
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_text
from stages.pipeline.params import PARAMS, nearest, read_yaml
from stages.presets.preset import params_text, preset_files, read_params, read_preset
from stages.study.differences import differences

app = typer.Typer(add_completion=False)


@app.command()
def main(
    name: Annotated[str | None, typer.Argument(help="A preset. Default: list them all.")] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Print the params.yaml it makes; change nothing.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print where params.yaml differs; change nothing.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite changes to params.yaml that exist nowhere.")
    ] = False,
) -> None:
    """Make a preset the params.yaml of this project, or list the presets."""
    presets = preset_files()
    if name is None:
        print(overview(presets))
        return
    if name not in presets:
        raise Fault(f"no preset {name!r}; {nearest(name, presets)}")
    if show:
        print(params_text(presets[name]), end="")
    elif diff:
        rows = differences(read_params(presets[name]), read_yaml(PARAMS))
        print(columns([("key", f"{PARAMS}", f"preset {name}"), *rows]) if rows else "no difference")
    else:
        if not force:
            refuse_loss(presets, "commit them or add --force")
        write_text(PARAMS, params_text(presets[name]))
        print(f"{PARAMS} is now the preset {name}. Next: dvc repro, then read reports/README.md")


def overview(presets: dict[str, Path]) -> str:
    """Return what each preset is and what it asks, on two lines."""
    rows = []
    for name, path in presets.items():
        preset = read_preset(path)
        rows += [(name, preset.title), ("", preset.question)]
    return columns(rows)


def refuse_loss(presets: dict[str, Path], hint: str) -> None:
    """Raise a Fault, whose end is `hint`, where params.yaml is no preset and not committed."""
    if not PARAMS.exists():
        return
    text = PARAMS.read_text(encoding="utf-8")
    if text in map(params_text, presets.values()):
        return
    if git("diff", "--quiet", "HEAD", "--", str(PARAMS)) is None:
        raise Fault(f"{PARAMS} has changes that are not committed; {hint}")


if __name__ == "__main__":
    run(app)
