"""What the parts of a study cost, from the speed of its networks: seconds and bytes of files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from stages.dense.given import given_weights
from stages.evaluation.robustness import conditions
from stages.retraining.settings import Schedule
from stages.study.settings import Study
from stages.training.optimizers.registry import OPTIMIZERS

FLOAT = 4
"""Bytes of a float32."""
SOME_BLOCKS = 6
"""Blocks of a network, as far as its price goes."""


@dataclass(frozen=True)
class Speed:
    """What a network takes: seconds for a training step, for testing one image, and once a run.

    Once, a run starts its process, builds the network, warms up, and saves and reads its files.
    """

    step: float
    image: float
    once: float
    nbytes: int
    macs: int


@dataclass(frozen=True)
class Images:
    """The steps of an epoch, its images, those held out, those of the test, and their classes."""

    steps: int
    trained: int
    validation: int
    test: int
    classes: int

    @property
    def tested(self) -> int:
        """Return the images that every saved network is tested on."""
        return self.validation + self.test


@dataclass(frozen=True)
class Price:
    """What one replicate of a part of the study costs; `schedule` is empty but for an arm."""

    method: str
    schedule: str
    seconds: float
    nbytes: int


def prices(
    study: Study,
    dense: Speed,
    pruned: Mapping[str, Sequence[Speed]],
    pruning: Mapping[str, float],
    images: Images,
) -> list[Price]:
    """Return the price of the dense run (no method), of each pruning, and of each arm.

    `pruned` has the network that each round of a method leaves, `pruning` the seconds that a method
    takes but for images that pass through what it leaves.
    """
    every, epochs = study.train.checkpoint_every, study.train.epochs
    trained = 0 if given_weights(study.train.weights) else epochs
    state = _with_state(study, dense)
    test = images.tested * dense.image
    logits = images.tested * images.classes * FLOAT
    held_out = images.validation * dense.image  # all that a dense epoch is tested on
    run = dense.once + trained * (images.steps * dense.step + held_out) + test
    kept = dense.nbytes + epochs // every * state + logits
    found = [Price("", "", run, kept)]
    for method, rounds in pruned.items():
        first = rounds[0]
        passed = images.trained + 2 * images.tested  # BatchNorm's statistics; both as they are
        seconds = pruning[method] + passed * first.image
        found.append(Price(method, "", seconds, 2 * first.nbytes + 2 * logits))
        for name, schedule in study.retrain.schedules.items():
            budget = schedule.budget(study.retrain.epochs, epochs, dense.macs / first.macs)
            batch = study.train.recipe.batch_size
            paced = [_paced(each, schedule, batch * dense.image) for each in rounds]
            again = (len(rounds) - 1) * pruning[method]  # each round but the first prunes anew
            lengths = schedule.split(budget, len(rounds))
            seconds = again + sum(
                _retraining(each, schedule, schedule.members * length, images)
                for each, length in zip(paced, lengths, strict=True)
            )
            needs = schedule.start == "rewound" or schedule.keeps_state(schedule.start)
            copied = state * needs + dense.nbytes * schedule.needs_dense
            seconds += sum(_before(each, dense, schedule, batch) for each in rounds)
            nbytes = sum(2 * each.nbytes for each in rounds) + 2 * logits + copied
            if schedule.restart == "never":
                nbytes += sum(_slots(study, schedule, each) for each in rounds[:-1])
            found.append(Price(method, name, seconds, nbytes))
    return found


def corruption_seconds(
    study: Study, dense: Speed, pruned: Mapping[str, Sequence[Speed]], images: Images
) -> dict[str, float]:
    """Return the seconds of one replicate's networks on corrupted test images, by method.

    Those of the forward passes: of the dense network, the pruned one and that of every arm, under
    each condition. What corrupts the images is not counted.
    """
    arms = len(study.retrain.schedules)
    found = {}
    for method, asked in study.corruptions.items():
        first, last = pruned[method][0], pruned[method][-1]
        image = dense.image + first.image + arms * last.image
        found[method] = len(conditions(asked)) * images.test * image
    return found


def _retraining(network: Speed, schedule: Schedule, epochs: int, images: Images) -> float:
    """Return the seconds of a round; estimating BatchNorm's statistics passes all that trains."""
    test, whole = (number * network.image for number in (images.tested, images.trained))
    average = schedule.average
    ends = schedule.members if schedule.soup else epochs
    estimated = ends * (average is not None and average.batchnorm == "reestimate")
    estimated += schedule.repair is not None
    trained = epochs * (images.steps * network.step + test)
    return network.once + trained + estimated * whole + 2 * test


def _before(network: Speed, dense: Speed, schedule: Schedule, batch: int) -> float:
    """Return the seconds of an objective: its steps, and for some blocks both networks' passes."""
    if (own := schedule.objective) is None:
        return 0.0
    step = own.passes * network.step / batch + SOME_BLOCKS * (network.image + dense.image)
    return own.samples * step


def _paced(network: Speed, schedule: Schedule, teaching: float) -> Speed:
    """Return a network's speed under a schedule; a teacher takes `teaching` seconds of a step."""
    step = network.step + (teaching if schedule.teacher else 0.0)
    return replace(network, step=step * schedule.passes)


def _with_state(study: Study, dense: Speed) -> int:
    """Return the bytes of a checkpoint: the network and the optimizer's slots."""
    return dense.nbytes + _slots(study, None, dense)


def _slots(study: Study, schedule: Schedule | None, network: Speed) -> int:
    """Return the bytes of the slots of an arm's optimizer, or of the dense run's."""
    own = schedule.optimizer if schedule else None
    rule = OPTIMIZERS[(own or study.train.recipe.optimizer).kind]
    return network.nbytes * len(rule.slots)
