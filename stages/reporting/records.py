"""The result files that `evaluate` and `baseline` write, typed."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator


class Record(BaseModel):
    """A part of a result file; keys that the report does not use are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Score(Record):
    """Top-1 accuracy as a fraction, and mean cross-entropy (None when it is not finite)."""

    accuracy: float = Field(ge=0, le=1)
    loss: float | None


class Splits(Record):
    """Scores on the two splits that a report shows; no validation split gives None."""

    validation: Score | None
    test: Score


class Selected(Splits):
    """Scores at the epoch that validation accuracy selects."""

    epoch: int


class Peak(Record):
    """The highest test accuracy over all epochs: biased, shown so that the bias is visible."""

    epoch: int
    accuracy: float = Field(ge=0, le=1)


class History(Record):
    """Accuracies after each epoch, as fractions."""

    validation_accuracy: tuple[float, ...] | None
    test_accuracy: tuple[float, ...]


class Run(Record):
    """One replicate of an arm."""

    seed: int
    lr_scale: float
    last: Splits
    selected: Selected | None
    test_best: Peak
    history: History


class Point(Splits):
    """One replicate of a network that is evaluated and not trained."""

    seed: int


class Curve(Record):
    """Learning rate and momentum at some steps of a run."""

    step: tuple[int, ...]
    lr: tuple[float, ...]
    momentum: tuple[float, ...]


class Network(Record):
    """The size of a network: parameters, those that are not zero, multiply-accumulates."""

    parameters: int
    nonzero: int
    macs: float


class Arm(Network):
    """`reports/arms/<method>/<schedule>.json`.

    `epochs` are those of each of `rounds`; `training_macs` are forward MACs per training image.
    """

    method: str
    schedule: str
    start: str
    curve: str
    epochs: int
    rounds: int
    training_macs: float
    steps_per_epoch: int
    environment: dict[str, Any]
    curve_points: Curve
    replicates: tuple[Run, ...] = Field(min_length=1)

    @field_validator("replicates")
    @classmethod
    def seeds_differ(cls, replicates: tuple[Run, ...]) -> tuple[Run, ...]:
        """Refuse two replicates of one seed: pairs are formed by seed."""
        seeds = [replicate.seed for replicate in replicates]
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"seeds {seeds} are not unique")
        return replicates


class Pruned(Network):
    """The pruned network before retraining."""

    replicates: tuple[Point, ...] = Field(min_length=1)


class Spoiled(Pruned):
    """The pruned network, raw and with BatchNorm statistics taken anew."""

    recalibrated: tuple[Point, ...] = Field(min_length=1)


class Dense(Pruned):
    """The network before pruning."""

    epochs: int


class Baseline(Record):
    """`reports/baselines/<method>.json`."""

    method: str
    granularity: str
    environment: dict[str, Any]
    dense: Dense
    pruned: Spoiled
