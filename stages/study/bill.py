"""What a whole study takes: its parts, and the stages that they are in, some side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from stages.study.price import Price
from stages.study.settings import Study

ONE_BY_ONE = ("code", "validate", "prepare", "rehearse", "train", "checkpoint", "compare")
"""Stages that have nothing beside them but short ones."""
BESIDE = ("dense_curve", "evaluate_dense", "headline")
OF_METHOD = ("prune", "plan", "evaluate_pruned")
OF_ARM = ("retrain", "evaluate")


@dataclass(frozen=True)
class Around:
    """The seconds of what is around training.

    Of the start of a run until its first stage has ended; of a stage that does nothing, DVC's
    bookkeeping included; of the timing in a stage `latency`; of the report; by method, of a
    replicate in a stage `corruptions`.
    """

    opening: float
    stage: float
    latency: float
    report: float
    corruptions: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """A line of the bill: `number` times something of `each` seconds, `at_once` side by side."""

    what: str
    number: int
    each: float
    at_once: float

    @property
    def seconds(self) -> float:
        """Return how long all of them take."""
        return self.number * self.each / self.at_once


def bill(study: Study, parts: Sequence[Price], around: Around, workers: int) -> list[Item]:
    """Return what the seconds of a study consist of, where `workers` replicates run side by side.

    Stages are counted as dvc.yaml has them. `latency` runs alone, the report comes last.
    """
    corrupted = list(around.corruptions.values())
    dense, *others = parts
    prunings = [part.seconds for part in others if not part.schedule]
    arms = [part.seconds for part in others if part.schedule]
    stage = around.stage * workers
    beside = len(BESIDE) + len(OF_METHOD) * len(prunings) + len(OF_ARM) * len(arms)
    beside += len(corrupted)
    alone = len(ONE_BY_ONE) + len(study.latency)
    return [
        Item("start of the run", 1, around.opening, 1),
        Item("stages one by one: their start", alone, stage, 1),
        Item("stages side by side: their start", beside, stage, workers),
        replicates("dense runs", [dense.seconds], study.seeds, workers),
        replicates("prunings", prunings, study.seeds, workers),
        replicates("retrainings", arms, study.seeds, workers),
        replicates("tests on corrupted images", corrupted, study.seeds, workers),
        Item("timing of latency, alone", len(study.latency), around.latency, 1),
        Item("report", 1, around.report, 1),
    ]


def stage_seconds(
    study: Study, parts: Sequence[Price], around: Around, workers: int
) -> dict[str, float]:
    """Return the seconds of every stage by DVC's name, each on a core where others are beside it.

    Dense runs, prunings and tests on corrupted images have none beside them: their replicates fill
    all workers.
    """
    start = around.stage * workers
    found = dict.fromkeys((*ONE_BY_ONE, *BESIDE), start)
    found["code"] += around.opening
    found["compare"] += around.report
    for part in parts:
        work = study.seeds * part.seconds
        shared = replicates("", [part.seconds], study.seeds, workers).seconds
        several = "_iterative" if part.method in study.prune.iterative else ""
        if part.schedule:
            name = f"{part.method}-{part.schedule}"
            found[f"{'iterate' if several else 'retrain'}@{name}"] = start + work
            found[f"evaluate{several}@{name}"] = start
        elif part.method:
            found[f"prune{several}@{part.method}"] = start + shared
            for stage in ("plan", "evaluate_pruned"):
                found[f"{stage}{several}@{part.method}"] = start
        else:
            found["train"] += shared
    for method, seconds in around.corruptions.items():
        shared = replicates("", [seconds], study.seeds, workers).seconds
        found[f"corruptions@{method}"] = start + shared
    found |= dict.fromkeys((f"latency@{m}" for m in study.latency), start + around.latency)
    return found


def replicates(what: str, seconds: Sequence[float], seeds: int, workers: int) -> Item:
    """Return the line of parts of the study, all their replicates on `workers`.

    They take no less than the longest part, as often as its replicates fill all workers.
    """
    if not seconds:
        return Item(what, 0, 0.0, 1)
    number, work = seeds * len(seconds), seeds * sum(seconds)
    clock = max(work / workers, ceil(seeds / workers) * max(seconds))
    return Item(what, number, work / number, work / clock if clock else 1)


def seconds_of(parts: Iterable[Price]) -> float:
    """Return the seconds of one replicate of these parts."""
    return sum(part.seconds for part in parts)
