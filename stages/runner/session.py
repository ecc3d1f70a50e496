"""One run, from its options to its summary and exit code."""

import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from stages.pipeline.cores import Cores, side_by_side
from stages.runner.cluster import Cluster
from stages.runner.demands import Demand, demand
from stages.runner.dvc.pipeline import Pipeline, temporary
from stages.runner.forks import Forks
from stages.runner.local import Local
from stages.runner.nodes import Nodes
from stages.runner.progress import Progress
from stages.runner.run import BROKEN, Policy, Report, Run
from stages.runner.slots import Machine, Slots
from stages.runner.times import longest_chains, read_times, shortest, write_times
from stages.runner.view import say, tail, view
from stages.runner.workers import Place, Workers

TIMES = "times.json"
LINES = 15
"""How much of a failed stage's log is printed at the end."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    targets: tuple[str, ...]
    cores: int
    gpus: Sequence[str] | None
    per_gpu: int
    keep_going: bool
    cold: bool
    ray: str | None = None

    @property
    def room(self) -> "Room":
        """Return what there is of this machine."""
        return Room(self.cores, len(self.gpus or ()) * self.per_gpu)


class Room(NamedTuple):
    """Cores, and how many stages may compute on GPUs at once: 0 where none are shared."""

    cores: int
    gpus: int


def run(options: Options) -> int:
    """Run a pipeline, print how it went, and return the exit code."""
    folder = runner_folder()
    place, slots, room = _cluster(options) if options.ray else _machine(options, folder)
    workers = Workers(place)
    try:
        with signals(workers):
            return _run(options, workers, slots, room, folder)
    finally:
        workers.close()


def _machine(options: Options, folder: Path) -> tuple[Place, Slots, Room]:
    cores = Cores.of(folder / "cores", options.cores)
    forks = None if options.cold else Forks(folder / "libraries.txt")
    slots = Machine(cores, options.cores, options.gpus, options.per_gpu)
    return Local(forks), slots, options.room


def _cluster(options: Options) -> tuple[Place, Slots, Room]:
    assert options.ray
    replicates = side_by_side() or 1
    cluster = Cluster(options.ray, options.cores, options.gpus or (), options.per_gpu)
    nodes = cluster.nodes()
    cores = max(1, sum(node.cores for node in nodes) // replicates)
    room = Room(cores, options.per_gpu * sum(node.gpus for node in nodes))
    return cluster, Nodes(cluster.nodes, options.per_gpu, replicates), room


def _run(options: Options, workers: Workers, slots: Slots, room: Room, folder: Path) -> int:
    pipeline = Pipeline(options.targets, stopped=lambda: bool(workers.stopped))
    times = read_times(folder / TIMES)
    demands = demands_of(pipeline)
    spread = partial(shortest, pipeline.after, demands=demands, cores=room.cores, gpus=room.gpus)
    policy = Policy(
        demands,
        longest_chains(list(pipeline.needs), pipeline.after, times),
        options.keep_going,
        folder / "logs",
    )
    with view(Progress(pipeline.after, times, spread, reset=pipeline.reset())) as shown:
        runner = Run(pipeline, workers, slots, shown, policy)
        try:
            report = runner.run()
        finally:
            workers.close()
            pipeline.close()
    ran = {name: report.seconds[name] for name, how in report.outcomes.items() if how == "ran"}
    write_times(folder / TIMES, {**times, **ran})
    say("\n".join(summary(report, runner)))
    return 128 + workers.stopped if workers.stopped else int(bool(report.reasons))


def demands_of(pipeline: Pipeline) -> dict[str, Demand]:
    """Return what every stage asks for; a Fault for what cannot be read."""
    return {
        name: demand(name, pipeline.meta(name), partial(pipeline.parameter, name))
        for name in pipeline.needs
    }


def runner_folder() -> Path:
    """Return the folder of logs, times and whatever else runs leave for the next."""
    folder = Path(temporary(), "runner")
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    return folder


def summary(report: Report, runner: Run) -> Iterator[str]:
    """Yield why stages failed, with the last lines of their logs, and how many ended how."""
    for name, reason in report.reasons.items():
        yield f"\n{name} failed: {reason}"
        log = runner.log(name)
        if name in report.seconds:
            yield from (f"  {line}" for line in tail(log, LINES))
            yield f"  ({log})"
    stopped = [name for name, how in report.outcomes.items() if how in BROKEN - {"failed"}]
    if stopped:
        yield f"\nnot done: {', '.join(stopped)}"
    counts = Counter(report.outcomes.values())
    yield ", ".join(f"{number} {how}" for how, number in sorted(counts.items())) or "no stages"


@contextmanager
def signals(workers: Workers) -> Iterator[None]:
    """Stop the stages, not this process, when told to: what finished is still recorded."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    for number in before:
        signal.signal(number, lambda number, _: workers.stop(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
