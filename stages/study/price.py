"""What a study costs, from the speed of its networks: seconds of computing, bytes of files."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from stages.dense.given import given_weights
from stages.study.settings import Study
from stages.training.optimizers.registry import OPTIMIZERS

FLOAT = 4
"""Bytes of a float32."""


@dataclass(frozen=True)
class Speed:
    """What a network takes: seconds for a training step and for testing one image, bytes, MACs."""

    step: float
    image: float
    nbytes: int
    macs: int


@dataclass(frozen=True)
class Images:
    """The steps of an epoch, the images that are tested after each, and their classes."""

    steps: int
    tested: int
    classes: int


@dataclass(frozen=True)
class Price:
    """What one replicate of a part of the study costs; `schedule` is empty but for an arm."""

    method: str
    schedule: str
    seconds: float
    nbytes: int


def prices(
    study: Study, dense: Speed, pruned: Mapping[str, Sequence[Speed]], images: Images
) -> list[Price]:
    """Return the price of the dense run (no method), of each pruning, and of each arm.

    `pruned` has the network that each round of a method leaves. Counted are training steps and the
    tests of networks, files of networks and of their logits; starting Python, criteria and reports
    take seconds that do not grow with the network.
    """
    every, epochs = study.train.checkpoint_every, study.train.epochs
    trained = 0 if given_weights(study.train.weights) else epochs
    state = _with_state(study, dense)
    test = images.tested * dense.image
    logits = images.tested * images.classes * FLOAT
    run = trained * (images.steps * dense.step + test) + test
    kept = dense.nbytes + epochs // every * state + logits
    found = [Price("", "", run, kept)]
    for method, rounds in pruned.items():
        first = rounds[0]
        both = 2 * images.tested * first.image  # as pruned, and recalibrated
        found.append(Price(method, "", both, 2 * first.nbytes + 2 * logits))
        for name, schedule in study.retrain.schedules.items():
            budget = schedule.budget(study.retrain.epochs, epochs, dense.macs / first.macs)
            seconds = sum(_retraining(each, budget, images) for each in rounds)
            rewound = state if schedule.start == "rewound" else 0
            nbytes = sum(2 * each.nbytes for each in rounds) + 2 * logits + rewound
            found.append(Price(method, name, seconds, nbytes))
    return found


def seconds_of(parts: Iterable[Price]) -> float:
    """Return the seconds of one replicate of these parts."""
    return sum(part.seconds for part in parts)


def clock(parts: Sequence[Price], replicates: int, workers: int) -> float:
    """Return the seconds that a study takes where `workers` replicates compute side by side.

    No less than the longest chain: the dense run, a pruning, and an arm of its method.
    """
    dense, *others = parts
    arms = [part for part in others if part.schedule]
    pruning = {part.method: part.seconds for part in others if not part.schedule}
    chain = dense.seconds + max(pruning[arm.method] + arm.seconds for arm in arms)
    return max(replicates * seconds_of(parts) / workers, chain)


def _retraining(network: Speed, epochs: int, images: Images) -> float:
    test = images.tested * network.image
    return epochs * (images.steps * network.step + test) + 2 * test


def _with_state(study: Study, dense: Speed) -> int:
    """Return the bytes of a checkpoint: the network and the optimizer's slots."""
    rule = OPTIMIZERS[study.train.recipe.optimizer.kind]
    return dense.nbytes * (1 + len(rule.slots))
