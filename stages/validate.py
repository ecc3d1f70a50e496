"""validate: stop everything on a bad params.yaml, before anything is computed."""

import typer

from stages.pipeline.command import command_line
from stages.pipeline.digests import check_codes
from stages.pipeline.files import write_json, write_text
from stages.pipeline.guard import guarded
from stages.study.checks import check
from stages.study.settings import Study, rewind_epochs, starts

app = typer.Typer(add_completion=False)


@app.command()
def main() -> None:
    """Check params.yaml and build/code.json; write how arms start, as far as others need it."""
    with guarded("validate") as stage:
        study: Study = stage.read("", Study)
        check(study)
        check_codes(study.model.code)
        write_text(stage.output("build/params.ok"), "ok\n")
        write_json(stage.output("build/rewind.json"), {"epochs": rewind_epochs(study)})
        write_json(stage.output("build/starts.json"), starts(study))


if __name__ == "__main__":
    with command_line(app):
        app(standalone_mode=False)
