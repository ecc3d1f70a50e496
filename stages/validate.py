"""Stop everything on a bad params.yaml, before anything is computed."""

import typer

from stages.cli import run
from stages.fault import Fault
from stages.files import write_json, write_text
from stages.guard import guarded
from stages.params.study import Study, check, rewind_epochs

app = typer.Typer(add_completion=False)
UNDO = "to undo `dvc exp run -S`: touch params.yaml && git checkout params.yaml"


@app.command()
def main() -> None:
    """Check params.yaml; write build/params.ok (constant) and build/rewind.json."""
    with guarded("validate") as stage:
        try:
            study: Study = stage.read("", Study)
            check(study)
        except Fault as fault:
            raise Fault(f"{fault}\n{UNDO}") from None
        write_text(stage.output("build/params.ok"), "ok\n")
        write_json(stage.output("build/rewind.json"), {"epochs": rewind_epochs(study)})


if __name__ == "__main__":
    run(app)
