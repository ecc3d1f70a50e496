"""prepare: raw images to arrays, labels, the split and the training statistics."""

from pathlib import Path

import typer

from stages.data.preparation import prepare
from stages.data.settings import DATA
from stages.pipeline.command import command_line
from stages.pipeline.guard import guarded

DOWNLOADS = Path("data/downloads")

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Read the images that `data` in params.yaml names, split them, and take their statistics."""
    with guarded("prepare") as stage:
        prepare(stage.read("data", DATA), DOWNLOADS, stage.output("data/prepared"))


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
