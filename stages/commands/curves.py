"""Show the learning rates of any schedule, in brief, in full or as a figure; train nothing."""

import sys
from collections.abc import Mapping
from math import isnan, nan
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from stages.commands.layout import columns
from stages.commands.places import DESCRIPTION
from stages.dense.settings import Train
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json, replacing
from stages.pipeline.params import PARAMS, lookup, nearest, parse
from stages.presets.preset import read_params
from stages.reporting.words import momentum_in_brief
from stages.retraining.plan import Plan
from stages.retraining.planning import Pruning, plan_arm
from stages.retraining.settings import SCHEDULE, Schedule
from stages.schedules.dense import DenseRates
from stages.schedules.rates import Rates, steps_per_epoch

app = typer.Typer(add_completion=False)
ASSUMED_STEPS = 100
FORMATS = (".pdf", ".png", ".svg")


@app.command()
def main(
    schedule: Annotated[
        list[str] | None, typer.Option(help="A key of retrain.schedules; repeatable. Default: all.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="T. Default: the schedule's own.")
    ] = None,
    steps_per_epoch: Annotated[
        int | None,
        typer.Option(
            min=1, max=1_000_000, help=f"Default: data/prepared's; {ASSUMED_STEPS} without it."
        ),
    ] = None,
    params: Annotated[Path, typer.Option(help="A params.yaml, or a preset's file.")] = PARAMS,
    distance: Annotated[
        float, typer.Option(help="d of adaptive_linear, or d / sqrt(s) if s is not given.")
    ] = 1.0,
    fraction_pruned: Annotated[float, typer.Option(help="s of adaptive_linear.")] = 1.0,
    flops_ratio: Annotated[
        float | None,
        typer.Option(min=1.0, help="Dense / pruned FLOPs, for budgets of dense_macs."),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print step and epoch (from 0), lr and momentum, exactly.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw into this .pdf, .png or .svg.")] = None,
) -> None:
    """Show learning rate and momentum of schedules in params.yaml; nothing is trained."""
    tree = read_params(params)
    train: Train = parse(Train, lookup(tree, "train", params), "train", params)
    steps, source = _steps(steps_per_epoch, tree, train)
    default: int = parse(int, lookup(tree, "retrain.epochs", params), "retrain.epochs", params)
    entries = _entries(tree, schedule, epochs, params)
    pruning = Pruning(flops_ratio or nan, (distance,), (fraction_pruned,))
    plans, reasons = plan_all(entries, default, train.rates(steps), pruning)
    if reasons and (schedule or not plans):
        raise Fault("\n".join(reasons))
    if csv:
        sys.stdout.write(as_csv(plans))
    if plot:
        write_figure(plot, plans)
    if not (csv or plot):
        print(f"{summary(plans)}\n\n{steps} steps per epoch ({source})")
    for reason in reasons:
        print(reason, file=sys.stderr)


def plan_all(
    entries: Mapping[str, Schedule], epochs: int, dense: DenseRates, pruning: Pruning
) -> tuple[dict[str, Plan], list[str]]:
    """Return the plans of all schedules as retraining would follow them, and why some have none."""
    plans, reasons = {}, []
    for name, entry in entries.items():
        try:
            if entry.follows_macs and isnan(pruning.macs_ratio):
                wanted = "give --flops-ratio (dense / pruned) or --epochs"
                raise Fault(f"epochs is {entry.epochs}: {wanted}")
            plans[name] = plan_arm(entry, epochs, dense, pruning)
        except Fault as fault:
            reasons.append(f"{name}: {fault}")
    return plans, reasons


def as_csv(plans: Mapping[str, Plan]) -> str:
    """Return every step of one schedule as CSV, floats in full; a Fault for several schedules."""
    if len(plans) > 1:
        raise Fault(f"--csv takes one --schedule of {', '.join(plans)}")
    (rates,) = (plan.rates_of(0) for plan in plans.values())
    values = zip(rates.lr.tolist(), rates.momentum.tolist(), strict=True)
    rows = (f"{k},{k // rates.steps_per_epoch},{lr},{m}\n" for k, (lr, m) in enumerate(values))
    return "step,epoch,lr,momentum\n" + "".join(rows)


def write_figure(path: Path, plans: Mapping[str, Plan]) -> None:
    """Draw all schedules into one figure, as the report does, in the format of the suffix."""
    if path.suffix not in FORMATS:
        raise Fault(f"--plot is {path}; it should end in {', '.join(FORMATS)}")
    from stages.reporting.plots import SampledCurve
    from stages.reporting.sections.learning_rates import lr_figure
    from stages.reporting.style import svg

    curves = {}
    for name, plan in plans.items():
        rates = plan.rates_of(0)
        epoch = (np.arange(len(rates.lr)) / rates.steps_per_epoch).tolist()
        curves[name] = SampledCurve(epoch, rates.lr.tolist(), rates.momentum.tolist())
    figure = lr_figure(curves)
    with replacing(path) as aside:
        if path.suffix == ".svg":
            aside.write_text(svg(figure), encoding="utf-8")
        else:
            figure.savefig(aside, format=path.suffix[1:], dpi=200)


def summary(plans: Mapping[str, Plan]) -> str:
    """Return a table with one line per schedule."""
    head = ["schedule", "starts from", "epochs", "first LR", "peak LR", "last LR", "drops"]
    return columns([(*head, "momentum"), *(_row(name, plan) for name, plan in plans.items())])


def drops(rates: Rates) -> list[float]:
    """Return the epochs at which a learning rate held for two steps falls to half or less."""
    lr = rates.lr
    falls = (lr[2:] <= lr[1:-1] / 2) & (lr[1:-1] == lr[:-2])
    return [float(step + 2) / rates.steps_per_epoch for step in np.flatnonzero(falls)]


def _row(name: str, plan: Plan) -> tuple[str, ...]:
    rates = plan.rates_of(0)
    if not rates.epochs:
        return (name, plan.start, "0", *["-"] * 5)
    lr, peak = rates.lr, int(rates.lr.argmax())
    return (
        name,
        plan.start if plan.rewound_epoch is None else f"epoch {plan.rewound_epoch}",
        f"{rates.epochs}",
        f"{lr[0]:.4g}",
        f"{lr[peak]:.4g} at {peak / rates.steps_per_epoch:.4g}",
        f"{lr[-1]:.4g}",
        ", ".join(f"{epoch:.4g}" for epoch in drops(rates)) or "-",
        momentum_in_brief(rates.momentum.tolist()),
    )


def _entries(
    tree: Any, names: list[str] | None, epochs: int | None, file: Path
) -> dict[str, Schedule]:
    """Return the schedules of these names, all without names, with `epochs` of T if given."""
    key = "retrain.schedules"
    known = lookup(tree, key, file)
    for name in names or ():
        if name not in known:
            raise Fault(f"--schedule is {name!r}; {nearest(name, known)}")
    update = {} if epochs is None else {"epochs": epochs}
    entries = {n: parse(SCHEDULE, known[n], f"{key}.{n}", file) for n in names or known}
    return {name: entry.model_copy(update=update) for name, entry in entries.items()}


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
