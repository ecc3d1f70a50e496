"""The result files below reports/: the types that `evaluate*` write and that reporting reads."""

from math import ceil
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from stages.results.bits import unpacked


def _with_accuracy(scores: dict[str, float | None]) -> dict[str, float | None]:
    accuracy = scores.get("accuracy")
    if accuracy is None or not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy is {accuracy}; it should be a number from 0 to 1")
    return scores


def _bits(text: str) -> str:
    unpacked(text)
    return text


Scores = Annotated[dict[str, float | None], AfterValidator(_with_accuracy)]
"""Metrics of one network on one split, by the names of `evaluation.metrics.METRICS`.

Of all but dense networks also `agreement`, with the dense network of the same seed.

`accuracy` is a fraction from 0 to 1 and always there; a metric that is not finite is None.
"""


class Record(BaseModel):
    """A part of a result file; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Splits(Record):
    """Scores on the two splits that take no part in training; None without validation images."""

    validation: Scores | None
    test: Scores


class Selected(Splits):
    """Scores of the network at the epoch that validation accuracy selects, counted from 1."""

    epoch: int


class Best(Record):
    """The highest test accuracy over all epochs: biased upwards, shown to make the bias visible."""

    epoch: int
    accuracy: float = Field(ge=0, le=1)


class History(Record):
    """Mean training loss in, and accuracies (fractions) after, each epoch."""

    train_loss: tuple[float, ...]
    validation_accuracy: tuple[float, ...] | None
    test_accuracy: tuple[float, ...]


class Bins(Record):
    """Test images by confidence (see `evaluation.metrics.Bins`): a reliability diagram."""

    images: tuple[int, ...]
    confidence: tuple[float, ...]
    correct: tuple[int, ...]


class Untrained(Splits):
    """One replicate of a network that is scored as it is: dense, pruned or recalibrated.

    `class_correct` are the test images of each class that are classified correctly.
    """

    seed: int
    class_correct: tuple[int, ...] = ()
    bins: Bins | None = None


class Retrained(Record):
    """One replicate of an arm; `lr_scale` multiplies the learning rates of an adaptive curve.

    Of the last network: `correct` are the test images that it classifies correctly (see
    `results.bits`), `class_correct` their number in each class; `distance` and `sign_flips` say how
    far it is from the dense one (see `evaluation.moved`).
    """

    seed: int
    lr_scale: float
    correct: Annotated[str, AfterValidator(_bits)] | None = None
    class_correct: tuple[int, ...] = ()
    bins: Bins | None = None
    distance: float | None = None
    sign_flips: float | None = None
    last: Splits
    selected: Selected
    test_best: Best
    history: History


class Diverged(Record):
    """One replicate of an arm whose training diverged: it has no network, and so no scores.

    `round` and `epoch` are those that diverged, `lr` the epoch's largest learning rate, `loss` its
    mean training loss, None where that is not finite. `history` ends before, or, where the loss
    only exploded, with the run (see `training.divergence`).
    """

    seed: int
    lr_scale: float
    round: int
    epoch: int
    lr: float
    loss: float | None
    history: History


class Points(Record):
    """Learning rate and momentum at some steps of a run, counted from 0."""

    step: tuple[int, ...]
    lr: tuple[float, ...]
    momentum: tuple[float, ...]


class Network(Record):
    """The size of a network, the mean over its replicates (counted as in `evaluation.cost`).

    `file_bytes` is that of its safetensors file; None where nothing was saved.
    """

    parameters: int
    nonzero: int
    macs: float
    file_bytes: int | None = None


class DenseResult(Network):
    """`reports/dense.json`: the networks before pruning, after `epochs` of training.

    `chance` is the test accuracy of naming one class, the commonest, for every image. `given`:
    all are one network, whose weights were brought (`train.weights`). `classes` are the names of
    the data's classes, `class_images` the test images of each.
    """

    epochs: int
    chance: float = Field(ge=0, le=1)
    given: bool = False
    classes: tuple[str, ...] = ()
    class_images: tuple[int, ...] = ()
    environment: dict[str, Any]
    replicates: tuple[Untrained, ...] = Field(min_length=1)


class PrunedResult(Network):
    """`reports/pruned/<method>.json`: pruned networks before any retraining.

    `recalibrated`: the same with BatchNorm statistics re-estimated. A method that prunes in rounds
    is shown after its first.
    """

    method: str
    granularity: str
    replicates: tuple[Untrained, ...] = Field(min_length=1)
    recalibrated: tuple[Untrained, ...] = Field(min_length=1)


class ArmResult(Network):
    """`reports/arms/<method>/<schedule>.json`: one arm.

    `epochs` are those of each of `rounds`, their mean where these share a budget that does not
    divide by their number: the last ones then have more. `training_macs` are the forward MACs
    per training image, summed over epochs and rounds, as they are where nothing diverges. They
    stand for a step, which costs about three times that; so of a teacher, which goes forward alone,
    they have a third. What an objective before the first step costs is among them.
    `replicates` are those that finished; sizes are theirs, or, where all diverged, those of the
    networks that did.
    """

    method: str
    schedule: str
    start: str
    curve: str
    epochs: int | float
    rounds: int
    training_macs: float
    steps_per_epoch: int
    environment: dict[str, Any]
    points: Points
    replicates: tuple[Retrained, ...]
    diverged: tuple[Diverged, ...] = ()

    @property
    def retraining_epochs(self) -> int:
        """The epochs of all rounds together."""
        return round(self.rounds * self.epochs)

    @property
    def last_epochs(self) -> int:
        """The epochs of the last round: those of its history, where a replicate finished it."""
        histories = [r.history for r in self.replicates] + [r.history for r in self.diverged]
        return max(ceil(self.epochs), *(len(each.test_accuracy) for each in histories))

    @property
    def seeds(self) -> list[int]:
        """The seeds of all replicates, those that diverged among them."""
        return sorted([r.seed for r in self.replicates] + [r.seed for r in self.diverged])

    @model_validator(mode="after")
    def seeds_differ(self) -> Self:
        """Refuse no replicates, and two of one seed: pairs are formed by seed."""
        if not self.seeds:
            raise ValueError("an arm has at least one replicate")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {self.seeds} are not unique")
        return self
