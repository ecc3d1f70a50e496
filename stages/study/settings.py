"""The whole of params.yaml."""

from typing import Annotated, Any

from pydantic import Field

from stages.data.settings import DATA
from stages.dense.settings import Train
from stages.evaluation.settings import Corruptions, Timing
from stages.networks.settings import Model
from stages.pipeline.section import Name, Section
from stages.pruning.settings import Prune
from stages.replicates.settings import Compute, Seeds
from stages.reporting.settings import Compare
from stages.retraining.settings import Retrain, Schedule


class Study(Section):
    """params.yaml: replicate i of `seeds` has the seed `seed + i`.

    `latency` and `corruptions` go by method.
    """

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    seeds: Seeds
    compute: Compute
    data: DATA
    model: Model
    train: Train
    prune: Prune
    retrain: Retrain
    compare: Compare
    latency: dict[Name, Timing] = Field(default_factory=dict)
    corruptions: dict[Name, Corruptions] = Field(default_factory=dict)


def rewind_epochs(study: Study) -> list[int]:
    """Return the dense epochs whose checkpoints arms need, sorted: E - T, and E for its slots."""
    dense = study.train.epochs
    arms = study.retrain.schedules.values()
    epochs = (a.needed_epoch(length, dense) for a in arms for length in lengths(a, study))
    return sorted({epoch for epoch in epochs if epoch is not None})


def starts_fresh(study: Study) -> bool:
    """Whether an arm starts from a network that is initialised again."""
    return any(schedule.start == "fresh" for schedule in study.retrain.schedules.values())


def starts(study: Study) -> dict[str, Any]:
    """Return how arms start, as far as the network is to be tried for it before it trains."""
    reconstructed = [n for n, arm in study.retrain.schedules.items() if arm.objective]
    known = {"fresh": starts_fresh(study), "trainable": trained_parts(study)}
    return known | ({"reconstructed": reconstructed} if reconstructed else {})


def trained_parts(study: Study) -> dict[str, Any]:
    """Return the parts that are trained, in values of JSON, by the arms that do not train all."""
    arms = study.retrain.schedules.items()
    return {name: own["trainable"] for name, a in arms if "trainable" in (own := a.changed())}


def lengths(schedule: Schedule, study: Study) -> list[int]:
    """Return the epochs that an arm's curves have after the methods of a study, as far as known.

    A Fault where its budget is no whole number of epochs for each round of a method.
    """
    budget = nominal_epochs(schedule, study)
    rounds = {1, *(entry.number for entry in study.prune.iterative.values())}
    curves = (schedule.curves(schedule.split(budget, number)) for number in rounds)
    return sorted({length for each in curves for length in each})


def nominal_epochs(schedule: Schedule, study: Study) -> int:
    """Return an arm's budget as far as it is known before pruning: dense_macs counts as dense."""
    return schedule.budget(study.retrain.epochs, study.train.epochs, macs_ratio=1.0)
