"""How long all takes that a study does around training: its start, latency, figures."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.evaluation import latency
from stages.networks.exporting import can_run
from stages.pipeline.files import read_json, write_json
from stages.replicates.processes import run_replicates
from stages.runner.empty import empty_run
from stages.runner.gpus import visible
from stages.study.bill import Around
from stages.study.price import Images, corruption_seconds
from stages.study.probe import export_seconds
from stages.study.settings import Study
from stages.study.speeds import Speeds

TYPICAL = "stages.retrain"
"""A stage whose imports are those of most."""


def around(study: Study, found: Speeds, side: int, images: Path, numbers: Images) -> Around:
    """Time what is around training, each part once, for prepared `images` of such `numbers`."""
    opening, stage = empty_run(TYPICAL, side)
    arms = len(study.retrain.schedules) * len(found.pruned)
    timing = latency_seconds(study, found, images)
    corruptions = corruption_seconds(study, found.dense, found.pruned, numbers)
    return Around(opening, stage, timing, drawing_seconds(arms), corruptions)


def latency_seconds(study: Study, found: Speeds, images: Path) -> float:
    """Return what a stage `latency` takes on average: passes by each engine, and exports."""
    seconds = []
    for method, timing in study.latency.items():
        image = found.dense.image + found.pruned[method][0].image
        passes = sum(timed(image * batch) for batch in timing.batches)
        if can_run() and not visible():
            passes += passes + in_process(partial(export_seconds, study, images, method))
        seconds.append(passes)
    return sum(seconds) / max(1, len(seconds))


def timed(turn: float) -> float:
    """Return how long a timing of turns of so many seconds takes."""
    warm_up = latency.WARM_UP * turn
    return warm_up + max(
        latency.FEWEST * turn, min(latency.ENOUGH_SECONDS + turn, latency.MOST * turn)
    )


def in_process(call: Callable[[Path], float]) -> float:
    """Return what a function returns in a process of its own, given a file that it may write."""
    with TemporaryDirectory() as name:
        file = Path(name, "found.json")
        run_replicates(lambda _: write_json(file, call(Path(name, "file"))), 1, 1)
        return float(read_json(file))


def drawing_seconds(arms: int) -> float:
    """Return how long the figures of the report take, by one with a line for each arm."""
    from matplotlib.figure import Figure

    from stages.reporting.page import SECTIONS
    from stages.reporting.style import svg

    begun = time.perf_counter()
    figure = Figure()
    axes = figure.subplots()
    for arm in range(arms):
        axes.plot(range(10), [arm] * 10, label=f"{arm}")
    axes.legend()
    svg(figure)
    return (time.perf_counter() - begun) * sum(section.figure is not None for section in SECTIONS)
