"""validate: stop everything on a bad params.yaml, before anything is computed."""

import typer

from stages.pipeline.command import faults_in_one_line
from stages.pipeline.digests import check_codes
from stages.pipeline.fault import Fault
from stages.pipeline.files import write_json, write_text
from stages.pipeline.guard import guarded
from stages.study.checks import check
from stages.study.settings import Study, rewind_epochs

app = typer.Typer(add_completion=False)
UNDO = "to undo `dvc exp run -S`: touch params.yaml && git checkout params.yaml"


@app.command()
def main() -> None:
    """Check params.yaml and build/code.json; write build/params.ok and build/rewind.json."""
    with guarded("validate") as stage:
        try:
            study: Study = stage.read("", Study)
            check(study)
        except Fault as fault:
            raise Fault(f"{fault}\n{UNDO}") from None
        check_codes(study.model.code)
        write_text(stage.output("build/params.ok"), "ok\n")
        write_json(stage.output("build/rewind.json"), {"epochs": rewind_epochs(study)})


if __name__ == "__main__":
    with faults_in_one_line():
        app()
