"""Digest the code that every stage runs: a stage runs again when its digest changes."""

import typer

from stages.pipeline.command import command_line
from stages.pipeline.digests import code_digests
from stages.pipeline.files import write_json
from stages.pipeline.guard import guarded

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Write the digest of the code of every stage to build/code.json."""
    with guarded("code") as stage:
        write_json(stage.output("build/code.json"), code_digests(stage.read("model.code", str)))


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
