"""Which schedule and budget to use, by the results of the study."""

from typing import Annotated

import typer

from stages.commands.finished import finished_report
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.params import nearest
from stages.reporting.measures import kept_by
from stages.reporting.recommendation import recommend
from stages.reporting.sections.recommendation import paragraph

app = typer.Typer(add_completion=False)


@app.command()
def main(
    method: Annotated[
        str | None, typer.Option(help="A pruning method. Default: every one.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="The most epochs of retraining. Default: any.")
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(min=0.0, help="Points that a cheaper arm may lose. Default: compare.margin."),
    ] = None,
    kept: Annotated[
        float | None,
        typer.Option(min=0.0, max=100.0, help="The most parameters kept, in percent."),
    ] = None,
) -> None:
    """Say which schedule and budget to use after pruning, as far as the results allow.

    It reads the results below reports/ and the sections prune, retrain and compare of params.yaml.
    """
    report = finished_report()
    known = report.results.methods
    if method is not None and method not in known:
        raise Fault(f"--method is {method!r}; {nearest(method, known)}")
    asked = [method] if method else known
    if kept is not None:
        asked = [name for name in asked if kept_by(report.results, name) <= kept]
    found = [recommend(report, name, epochs, max_drop) for name in asked]
    if not any(found):
        raise Fault("no arm has all that is asked for; ask for more epochs or parameters")
    for each in filter(None, found):
        print(f"{paragraph(report, each)}\n")
        command = f"afterprune export --method {each.method} --schedule {each.best.schedule}"
        print(f"    {command}\n")


if __name__ == "__main__":
    run(app)
