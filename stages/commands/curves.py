"""Show the curves of any schedule without training: a summary, exact numbers, or a figure."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from stages.cli import run
from stages.commands.layout import columns
from stages.fault import Fault
from stages.files import read_json, replacing
from stages.params.load import PARAMS, lookup, nearest, parse, read_yaml
from stages.params.schedules import SCHEDULE, Schedule
from stages.params.train import Train
from stages.reporting.momentum import in_brief
from stages.schedules.adaptive import adaptive_scale
from stages.schedules.arm import rewind_epoch
from stages.schedules.curve import Curve, steps_per_epoch
from stages.schedules.dense import Dense
from stages.schedules.registry import ADAPTIVE

app = typer.Typer(add_completion=False)
DESCRIPTION = Path("data/prepared/description.json")
ASSUMED_STEPS = 100
FORMATS = (".pdf", ".png", ".svg")


@dataclass(frozen=True)
class Budget:
    """T where it was asked for, retrain.epochs, and dense over pruned MACs where it was given."""

    epochs: int | None
    default: int
    flops_ratio: float | None

    def of(self, schedule: Schedule, dense: Dense) -> int:
        """Return a schedule's T; a Fault where that takes MACs nobody gave."""
        if self.epochs is not None:
            return self.epochs
        if schedule.epochs == "dense_macs" and self.flops_ratio is None:
            raise Fault("epochs is dense_macs: give --flops-ratio (dense / pruned) or --epochs")
        return schedule.budget(self.default, dense.epochs, self.flops_ratio or 0.0)


@dataclass(frozen=True)
class Moved:
    """What adaptive schedules take from pruning; without a distance they are drawn at scale 1."""

    distance: float | None
    fraction_pruned: float

    def scale(self, epochs: int, dense: Dense) -> float:
        """Return the factor on an adaptive schedule's learning rates."""
        if self.distance is None:
            return 1.0
        return adaptive_scale(self.distance, self.fraction_pruned, epochs, dense.epochs)


@dataclass(frozen=True)
class Drawn:
    """A schedule's start, its curves, and the epoch that its weights are rewound to, if any."""

    start: str
    curve: Curve
    rewound: int | None


@app.command()
def main(
    schedule: Annotated[
        list[str] | None, typer.Option(help="A key of retrain.schedules; repeatable. Default: all.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="T. Default: the schedule's own.")
    ] = None,
    steps_per_epoch: Annotated[
        int | None,
        typer.Option(min=1, help=f"Default: data/prepared's; {ASSUMED_STEPS} without it."),
    ] = None,
    params: Annotated[Path, typer.Option(help="Another params.yaml, a preset say.")] = PARAMS,
    distance: Annotated[
        float | None, typer.Option(help="d of adaptive_linear, or d / sqrt(s) if s is not given.")
    ] = None,
    fraction_pruned: Annotated[float, typer.Option(help="s of adaptive_linear.")] = 1.0,
    flops_ratio: Annotated[
        float | None, typer.Option(min=1.0, help="Dense / pruned FLOPs, for budgets of dense_macs.")
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print step and epoch (from 0), lr and momentum, exactly.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw into this .pdf, .png or .svg.")] = None,
) -> None:
    """Show learning rate and momentum of schedules in params.yaml; nothing is trained."""
    tree = read_yaml(params)
    train: Train = parse(Train, lookup(tree, "train", params), "train", params)
    steps, source = _steps(steps_per_epoch, tree, train)
    dense = train.curve(steps)
    default: int = parse(int, lookup(tree, "retrain.epochs", params), "retrain.epochs", params)
    budget, moved = Budget(epochs, default, flops_ratio), Moved(distance, fraction_pruned)
    entries = _entries(tree, schedule, params)
    drawn, reasons = draw_all(entries, dense, budget, moved)
    if reasons and (schedule or not drawn):
        raise Fault("\n".join(reasons))
    if csv:
        sys.stdout.write(as_csv(drawn))
    if plot:
        write_figure(plot, drawn)
    if not (csv or plot):
        print(f"{summary(drawn)}\n\n{steps} steps per epoch ({source})")
    for reason in reasons:
        print(reason, file=sys.stderr)


def draw_all(
    entries: Mapping[str, Schedule], dense: Dense, budget: Budget, moved: Moved
) -> tuple[dict[str, Drawn], list[str]]:
    """Return the schedules that can be drawn, and why the others cannot."""
    drawn, reasons = {}, []
    for name, entry in entries.items():
        try:
            drawn[name] = draw(name, entry, dense, budget, moved)
        except Fault as fault:
            reasons.append(f"{fault}")
    return drawn, reasons


def draw(name: str, schedule: Schedule, dense: Dense, budget: Budget, moved: Moved) -> Drawn:
    """Return a schedule's curves as retraining would use them; a Fault names the schedule."""
    try:
        arm, epochs = schedule.arm(), budget.of(schedule, dense)
        curve = arm.curves(epochs, dense.steps_per_epoch, dense)
        if arm.curve in ADAPTIVE:
            curve = replace(curve, lr=curve.lr * moved.scale(epochs, dense))
        return Drawn(arm.start, curve, rewind_epoch(arm, epochs, dense.epochs))
    except Fault as fault:
        raise Fault(f"{name}: {fault}") from None


def as_csv(drawn: Mapping[str, Drawn]) -> str:
    """Return every step of one schedule as CSV, floats in full; a Fault for several schedules."""
    if len(drawn) > 1:
        raise Fault(f"--csv takes one --schedule of {', '.join(drawn)}")
    (curve,) = (one.curve for one in drawn.values())
    values = zip(curve.lr.tolist(), curve.momentum.tolist(), strict=True)
    rows = (f"{k},{k // curve.steps_per_epoch},{lr},{m}\n" for k, (lr, m) in enumerate(values))
    return "step,epoch,lr,momentum\n" + "".join(rows)


def write_figure(path: Path, drawn: Mapping[str, Drawn]) -> None:
    """Draw all schedules into one figure, as the report does, in the format of the suffix."""
    if path.suffix not in FORMATS:
        raise Fault(f"--plot is {path}; it should end in {', '.join(FORMATS)}")
    from stages.reporting.lines import Curve as Points
    from stages.reporting.lines import lr_figure
    from stages.reporting.style import svg

    figure = lr_figure(
        {
            name: Points(
                [k / one.curve.steps_per_epoch for k in range(len(one.curve.lr))],
                one.curve.lr.tolist(),
                one.curve.momentum.tolist(),
            )
            for name, one in drawn.items()
        }
    )
    with replacing(path) as aside:
        if path.suffix == ".svg":
            aside.write_text(svg(figure), encoding="utf-8")
        else:
            figure.savefig(aside, format=path.suffix[1:], dpi=200)


def summary(drawn: Mapping[str, Drawn]) -> str:
    """Return a table with one line per schedule."""
    head = ["schedule", "starts from", "epochs", "first LR", "peak LR", "last LR", "drops"]
    return columns([(*head, "momentum"), *(_row(name, one) for name, one in drawn.items())])


def drops(curve: Curve) -> list[float]:
    """Return the epochs at which a learning rate held for two steps falls to half or less."""
    lr = curve.lr
    falls = (lr[2:] <= lr[1:-1] / 2) & (lr[1:-1] == lr[:-2])
    return ((np.flatnonzero(falls) + 2) / curve.steps_per_epoch).tolist()


def _row(name: str, one: Drawn) -> tuple[str, ...]:
    lr = one.curve.lr
    peak = int(lr.argmax())
    return (
        name,
        one.start if one.rewound is None else f"epoch {one.rewound}",
        f"{one.curve.epochs}",
        f"{lr[0]:.4g}",
        f"{lr[peak]:.4g} at {peak / one.curve.steps_per_epoch:.4g}",
        f"{lr[-1]:.4g}",
        ", ".join(f"{epoch:.4g}" for epoch in drops(one.curve)) or "-",
        in_brief(one.curve.momentum.tolist()),
    )


def _entries(tree: Any, names: list[str] | None, file: Path) -> dict[str, Schedule]:
    known = lookup(tree, "retrain.schedules", file)
    for name in names or ():
        if name not in known:
            raise Fault(f"--schedule is {name!r}; {nearest(name, known)}")
    key = "retrain.schedules"
    return {n: parse(SCHEDULE, known[n], f"{key}.{n}", file) for n in names or known}


def _steps(given: int | None, tree: Any, train: Train) -> tuple[int, str]:
    """Return the steps per epoch and where they come from."""
    if given is not None:
        return given, "as asked for"
    about = read_json(DESCRIPTION) if DESCRIPTION.exists() else {}
    if about.get("source") == tree.get("data", {}).get("source", ""):
        return steps_per_epoch(about["train"], train.recipe.batch_size), f"{DESCRIPTION}"
    return ASSUMED_STEPS, "assumed: its data is not prepared; see --steps-per-epoch"


if __name__ == "__main__":
    run(app)
