"""How long the study will take and how much disk it needs, from a few steps of its networks."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from stages.commands.layout import columns, in_bytes
from stages.commands.overhead import around
from stages.commands.places import DESCRIPTION, PREPARED
from stages.data.described import described, describes
from stages.pipeline.command import run
from stages.pipeline.fault import Fault
from stages.pipeline.files import read_json
from stages.pipeline.params import PARAMS, parse
from stages.presets.preset import read_params
from stages.replicates.processes import run_replicates
from stages.replicates.workers import workers
from stages.reporting.words import count
from stages.runner.gpus import visible
from stages.runner.times import duration
from stages.schedules.rates import steps_per_epoch
from stages.study.bill import Around, Item, bill, seconds_of, stage_seconds
from stages.study.price import Images, Price, corruption_seconds, prices
from stages.study.probe import Probe
from stages.study.settings import Study
from stages.study.speeds import Speeds, together

app = typer.Typer(add_completion=False)


@app.command()
def main(
    params: Annotated[Path, typer.Option(help="A params.yaml, or a preset's file.")] = PARAMS,
) -> None:
    """Time a few steps of each network on this machine; print what the whole study costs.

    It takes the images of data/prepared, which it prepares where those of params.yaml are not
    there. It counts all that `afterprune run` would compute from nothing; `afterprune run --dry`
    says what is there.
    """
    study: Study = parse(Study, read_params(params), file=params)
    if params == PARAMS and not prepared(study):
        prepare()
    side = side_by_side(study)
    found = speeds(study, side)
    print(report(study, found, around_of(study, found, side), side))


def replicate_seconds(study: Study) -> float:
    """Return the seconds that one more replicate of the whole study adds, others beside it."""
    side = side_by_side(study)
    found = speeds(study, side)
    corrupted = corruption_seconds(study, found.dense, found.pruned, images_of(study))
    return (seconds_of(prices_of(study, found)) + sum(corrupted.values())) / side


def estimate(cores: int) -> dict[str, float]:
    """Return the seconds of every stage of params.yaml in a run that has so many cores."""
    study: Study = parse(Study, read_params(PARAMS), file=PARAMS)
    side = side_by_side(study, cores)
    found = speeds(study, side)
    return stage_seconds(study, prices_of(study, found), around_of(study, found, side), side)


def prepared(study: Study) -> bool:
    """Whether the images of a study are prepared."""
    return DESCRIPTION.is_file() and describes(read_json(DESCRIPTION), study.data)


def prepare() -> None:
    """Prepare the images, as a run of the study would."""
    words = [sys.executable, "-m", "stages.commands", "run", "prepare"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        said = done.stdout.strip().splitlines() or ["it says nothing"]
        raise Fault(f"the images are not prepared, and `afterprune run prepare` fails: {said[-1]}")


def images_of(study: Study) -> Images:
    """Return the numbers of the prepared images; a Fault where there are none, or others."""
    about = described(study.data, DESCRIPTION)
    steps = steps_per_epoch(about["train"], study.train.recipe.batch_size)
    train, validation, test = (about[part] for part in ("train", "validation", "test"))
    return Images(steps, train, validation, test, len(about["classes"]))


def speeds(study: Study, side: int) -> Speeds:
    """Time the networks for `side` replicates at a time, as the study will have them."""
    images_of(study)
    devices = study.train.devices
    gpus = 0 if study.compute.device == "cpu" else len(visible())
    with TemporaryDirectory() as name:
        probe = Probe(study, PREPARED, Path(name), side * devices, gpus, time.monotonic())
        run_replicates(probe, side, study.compute.threads, devices)
        found = together(Path(name))
    for method, reason in found.unknown.items():
        print(f"{method}: priced as the dense network; {reason}", file=sys.stderr)
    return found


def side_by_side(study: Study, cores: int | None = None) -> int:
    """Return how many replicates compute at a time, on a GPU too; `cores` are those of the run."""
    threads, devices = study.compute.threads, study.train.devices
    arms = len(study.retrain.schedules) * len({**study.prune.methods, **study.prune.iterative})
    room = workers(threads, devices)
    if cores is not None:
        room = min(room, max(1, cores // threads))
    return min(study.seeds * arms, room)


def prices_of(study: Study, found: Speeds) -> list[Price]:
    """Return what one replicate of each part of the study costs."""
    return prices(study, found.dense, found.pruned, found.pruning, images_of(study))


def around_of(study: Study, found: Speeds, side: int) -> Around:
    """Return what is around training, timed now."""
    return around(study, found, side, PREPARED, images_of(study))


def report(study: Study, found: Speeds, beside: Around, side: int) -> str:
    """Return the speeds, the bill, its total, and what one more of each would cost."""
    parts = prices_of(study, found)
    items = bill(study, parts, beside, side)
    total = sum(item.seconds for item in items)
    size = study.seeds * sum(part.nbytes for part in parts)
    further = ", ".join(
        f"{name} {duration(seconds)}" for name, seconds in more(study, parts, beside, side).items()
    )
    return "\n\n".join(
        [
            columns(speed_rows(study, found, parts)),
            columns(rows(items, total)),
            f"The study: about {duration(total)} by `afterprune run`, {count(side, 'replicate')} "
            f"side by side, and {in_bytes(size)} of files, which DVC's cache and .state hold too "
            "where the file system cannot share them.",
            f"One more costs: {further}.",
        ]
    )


def speed_rows(study: Study, found: Speeds, parts: Sequence[Price]) -> list[list[str]]:
    """Return the table of networks: their speed, and the seconds of one replicate of all parts."""
    networks = {"": found.dense, **{name: rounds[-1] for name, rounds in found.pruned.items()}}
    head = ["network", "step, ms", "image, ms", "once a run, s", "its parts, s a replicate"]
    return [
        head,
        *(
            [
                name or "dense",
                f"{1e3 * each.step:.3g}",
                f"{1e3 * each.image:.3g}",
                f"{each.once:.3g}",
                f"{seconds_of(part for part in parts if part.method == name):.3g}",
            ]
            for name, each in networks.items()
        ),
    ]


def rows(items: Sequence[Item], total: float) -> list[list[str]]:
    """Return the bill: the last column, number x each / side by side, adds up to the total."""
    head = ["what", "number", "each, s", "side by side", "seconds"]
    lines = [
        [
            item.what,
            f"{item.number}",
            f"{item.each:.2f}",
            f"{item.at_once:.3g}",
            f"{item.seconds:.1f}",
        ]
        for item in items
        if item.number
    ]
    return [head, *lines, ["total", "", "", "", f"{total:.1f}"]]


def more(study: Study, parts: Sequence[Price], beside: Around, side: int) -> Mapping[str, float]:
    """Return the seconds of one arm, one method and one replicate more."""
    arms, methods = len(study.retrain.schedules), len({part.method for part in parts}) - 1
    of_arm = seconds_of(part for part in parts if part.schedule) / arms
    of_method = seconds_of(part for part in parts if part.method) / methods
    return {
        f"an arm, under {count(methods, 'method')}": of_arm * study.seeds / side
        + 2 * methods * beside.stage,
        f"a method, under {count(arms, 'schedule')}": of_method * study.seeds / side
        + (3 + 2 * arms) * beside.stage,
        "a replicate": (seconds_of(parts) + sum(beside.corruptions.values())) / side,
    }


if __name__ == "__main__":
    run(app)
