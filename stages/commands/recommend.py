"""Which schedule and budget to use, by the results of the study."""

from collections.abc import Mapping
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
STEP = 0.05


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
    search: Annotated[
        bool,
        typer.Option(
            "--search",
            help="Find the smallest network of a method (default: prune.method) that loses less "
            "than --max-drop against the dense one: train some, and confirm it on fresh seeds.",
        ),
    ] = False,
    schedule: Annotated[
        str | None,
        typer.Option(help="Of --search: the schedule. Default: what is recommended."),
    ] = None,
    step: Annotated[
        float | None,
        typer.Option(min=0.001, max=0.5, help=f"Of --search: its resolution. Default: {STEP}."),
    ] = None,
) -> None:
    """Say which schedule and budget to use after pruning, as far as the results allow.

    It reads the results below reports/ and the sections prune, retrain and compare of params.yaml.
    """
    _check_search(search, {"--schedule": schedule, "--step": step})
    if search:
        _check_searched(max_drop, {"--epochs": epochs, "--kept": kept})
        from stages.commands import search as searching  # two seconds, of torch

        drop = max_drop or 0.0
        searching.search(searching.family(method, schedule, drop, STEP if step is None else step))
        return
    show(method, epochs, max_drop, kept)


def show(
    method: str | None, epochs: int | None, max_drop: float | None, kept: float | None
) -> None:
    """Print the recommendation of each method that is asked for, and how to export its network."""
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


def _check_search(search: bool, given: Mapping[str, object]) -> None:
    """Raise a Fault for options of a search without one."""
    for name, value in given.items():
        if value is not None and not search:
            raise Fault(f"{name} {value} is an option of --search; add that, or leave it out")


def _check_searched(max_drop: float | None, given: Mapping[str, object]) -> None:
    """Raise a Fault for a search that does not know what to find."""
    if max_drop is None:
        raise Fault("--search needs --max-drop, the points that the network may lose")
    for name, value in given.items():
        if value is not None:
            raise Fault(f"{name} {value}: --search does not take it; it finds the size itself")


if __name__ == "__main__":
    run(app)
