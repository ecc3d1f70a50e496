"""How long the study will take and how much disk it needs, from a few steps of its networks."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from torch import nn

from stages.commands.layout import columns, in_bytes
from stages.evaluation.cost import cost
from stages.images.prepared import ImageSet, Prepared, load
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.params import PARAMS, parse
from stages.presets.preset import read_params
from stages.replicates.environment import activate
from stages.replicates.precision import placed
from stages.replicates.workers import workers
from stages.reporting.words import count
from stages.runner.times import duration
from stages.schedules.rates import Rates, steps_per_epoch
from stages.study.networks import (
    dense_network,
    prepared_form,
    pruned_networks,
    rounds_of,
)
from stages.study.price import Images, Price, Speed, clock, prices, seconds_of
from stages.study.settings import Study
from stages.training.loop import Run
from stages.training.optimizer import Optimizer

app = typer.Typer(add_completion=False)
DESCRIPTION = Path("data/prepared/description.json")
STEPS, TESTED = 4, 512
"""Steps of an epoch that is timed, and images of a test: few, so that large networks take part."""
ENOUGH_SECONDS = 1.0
MOST = 20


@app.command()
def main(
    params: Annotated[Path, typer.Option(help="A params.yaml, or a preset's file.")] = PARAMS,
) -> None:
    """Time a few steps of each network on this machine; print what the whole study costs.

    It takes the images of data/prepared: run `dvc repro prepare` first. It counts all that would be
    computed from nothing; `afterprune run --dry` says what is there already.
    """
    study: Study = parse(Study, read_params(params), file=params)
    data = prepared(study)
    dense, pruned = speeds(study, data)
    print(report(study, dense, pruned, data))
    if study.train.devices > 1:
        print("train.devices: priced as if one device took the whole batch", file=sys.stderr)


def replicate_seconds(study: Study) -> float:
    """Return the seconds that one more replicate of the whole study adds, others beside it."""
    data = prepared(study)
    parts = _prices(study, *speeds(study, data), data)
    return seconds_of(parts) / side_by_side(study)


def prepared(study: Study) -> Prepared:
    """Open the prepared images; a Fault where there are none."""
    prepared_form(DESCRIPTION)
    return load(DESCRIPTION.parent, activate(study.compute))


def speeds(study: Study, data: Prepared) -> tuple[Speed, dict[str, list[Speed]]]:
    """Time the dense network, and what each round of each method leaves of it."""
    network, shape = dense_network(study, DESCRIPTION)
    dense, pruned = speed(network, study, data), {}
    for name, entry in {**study.prune.methods, **study.prune.iterative}.items():
        try:
            left = pruned_networks(network, entry, shape)
            pruned[name] = [speed(each, study, data) for each in left]
        except Fault as fault:
            pruned[name] = [dense] * len(rounds_of(entry))
            print(f"{name}: priced as the dense network; {fault}", file=sys.stderr)
    return dense, pruned


def speed(network: nn.Module, study: Study, data: Prepared) -> Speed:
    """Time training steps and tests of a network on the first images of the data."""
    recipe, compute = study.train.recipe, study.compute
    few = min(STEPS, steps_per_epoch(len(data.train.labels), recipe.batch_size))
    trained = _first(data.train, few * recipe.batch_size)
    held = _first(data.test, TESTED)
    data = replace(data, train=trained, test=held)
    network = placed(network, data.mean.device, compute)
    nothing = Rates(np.zeros(few * (MOST + 1)), np.zeros(few * (MOST + 1)), few)
    optimizer = Optimizer(network, recipe.optimizer)
    run = Run(network, optimizer, data, recipe, nothing, study.seed, 0, compute=compute)
    tensors = network.state_dict().values()
    return Speed(
        step=_seconds(run.advance) / few,
        image=_seconds(lambda: run.accuracy(held)) / len(held.labels),
        nbytes=sum(tensor.nbytes for tensor in tensors),
        macs=cost(network, data.shape).macs,
    )


def report(
    study: Study, dense: Speed, pruned: Mapping[str, Sequence[Speed]], data: Prepared
) -> str:
    """Return the table of prices, the total, and what one more of each would cost."""
    parts, side = _prices(study, dense, pruned, data), side_by_side(study)
    total = clock(parts, study.seeds, side)
    size = study.seeds * sum(part.nbytes for part in parts)
    networks = {"dense": dense, **{name: rounds[-1] for name, rounds in pruned.items()}}
    head = ["", "step, ms", "image, ms", "of one replicate", f"of {study.seeds}"]
    rows = [
        [name, f"{1e3 * each.step:.3g}", f"{1e3 * each.image:.3g}", *_of(_own(parts, name), study)]
        for name, each in networks.items()
    ]
    arms = len(study.retrain.schedules)
    more = seconds_of(part for part in parts if part.schedule) / arms
    methods = seconds_of(part for part in parts if part.method) / len(pruned)
    once = {
        f"an arm, under {count(len(pruned), 'method')}": more * study.seeds / side,
        f"a method, under {count(arms, 'schedule')}": methods * study.seeds / side,
        "a replicate": seconds_of(parts) / side,
    }
    further = ", ".join(f"{name} {duration(seconds)}" for name, seconds in once.items())
    return "\n\n".join(
        [
            columns([head, *rows]),
            f"The study: about {duration(total)} of computing, {count(side, 'replicate')} side by "
            f"side, and {in_bytes(size)} of files, which DVC's cache and .state hold too where the "
            "file system cannot share them.",
            f"One more costs: {further}.",
        ]
    )


def side_by_side(study: Study) -> int:
    """Return how many replicates compute at a time; those that share a GPU take turns."""
    on_gpu = activate(study.compute).type == "cuda"
    most = 1 if on_gpu else workers(study.compute.threads, study.train.devices)
    return min(study.seeds, most)


def _prices(
    study: Study, dense: Speed, pruned: Mapping[str, Sequence[Speed]], data: Prepared
) -> list[Price]:
    steps = steps_per_epoch(len(data.train.labels), study.train.recipe.batch_size)
    tested = len(data.validation.labels) + len(data.test.labels)
    return prices(study, dense, pruned, Images(steps, tested, data.classes))


def _own(parts: Sequence[Price], name: str) -> list[Price]:
    """Return the parts of a method, under all schedules; those of the dense run by "dense"."""
    return [part for part in parts if part.method == ("" if name == "dense" else name)]


def _of(parts: Sequence[Price], study: Study) -> list[str]:
    seconds = seconds_of(parts)
    return [duration(seconds), duration(study.seeds * seconds)]


def _seconds(call: Callable[[], object]) -> float:
    """Return the median time of a call after one to warm up, for ENOUGH_SECONDS or MOST calls."""
    call()
    taken: list[float] = []
    while not taken or (sum(taken) < ENOUGH_SECONDS and len(taken) < MOST):
        begun = time.perf_counter()
        call()
        taken.append(time.perf_counter() - begun)
    return float(np.median(taken))


def _first(images: ImageSet, count: int) -> ImageSet:
    return ImageSet(images.images[:count], images.labels[:count])


if __name__ == "__main__":
    run(app)
