"""The section `retrain`: the arms."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from stages.pipeline.fault import Fault
from stages.pipeline.options import options_of
from stages.pipeline.section import MOST_EPOCHS, Epochs, Name, Section
from stages.retraining.technique import Technique
from stages.schedules.arm import Arm, rewind_epoch, scratch_b_epochs
from stages.schedules.dense import DenseRates, Peak
from stages.schedules.settings import Momentum, schedule_types
from stages.schedules.starts import Start


class Total(Section):
    """One budget for all rounds of iterative pruning together (Zimmer 2023, BIMP)."""

    total: Epochs

    def split(self, rounds: int) -> tuple[int, ...]:
        """Return the whole epochs of each round: as equal as can be, the last ones the longer.

        A Fault where there are more rounds than epochs.
        """
        each, over = divmod(self.total, rounds)
        if not each:
            least = f"with {rounds} rounds it should be {rounds} or more"
            raise Fault(f"epochs.total is {self.total}; {least}")
        return (each,) * (rounds - over) + (each + 1,) * over


def _kind(value: Any) -> str:
    if isinstance(value, Mapping | Total):
        return "total"
    return "word" if isinstance(value, str) else "number"


Budget = (
    Annotated[
        Annotated[int, Field(ge=0, le=MOST_EPOCHS), Tag("number")]
        | Annotated[Literal["dense", "dense_macs", "dense_macs_and_retraining"], Tag("word")]
        | Annotated[Total, Tag("total")],
        Discriminator(_kind),
    ]
    | None
)


class Schedule(Technique):
    """What every retraining schedule has: start, momentum, budget in epochs, and a `Technique`.

    Momentum null is the curve's own. With a `peak` the arm has the dense run's learning rates in
    that proportion: "max" is the peak, and so is the largest of a curve that is repeated. Epochs
    are those of each round of iterative pruning, but for a `Total`; 0 where an objective is all
    that trains. Null is retrain.epochs; "dense" is those of the dense run; "dense_macs" is as many
    as cost what dense training did (Scratch-B of Liu 2019); "dense_macs_and_retraining" is these
    and retrain.epochs, all that a pruned and retrained network costs (Scratch-B of Wang 2023).
    """

    start: Start = "final"
    momentum: Momentum = None
    peak: Peak | None = None
    epochs: Budget = None

    @field_validator("epochs")
    @classmethod
    def _trains(cls, epochs: Any, info: ValidationInfo) -> Any:
        """Refuse 0 epochs for an arm that has nothing else to train, or nothing to average."""
        if epochs == 0 and info.data.get("objective") is None:
            raise ValueError("it should be greater than or equal to 1, or have an objective")
        if epochs == 0 and info.data.get("average") is not None:
            raise ValueError("it should be greater than or equal to 1 with an average")
        return epochs

    @property
    def follows_macs(self) -> bool:
        """Whether the budget depends on what pruning leaves."""
        return self.epochs in ("dense_macs", "dense_macs_and_retraining")

    def arm(self) -> Arm:
        """Return the arm that this entry names."""
        return Arm(self.start, self._curve, self._options, self.momentum)

    def of_dense(self, dense: DenseRates) -> DenseRates:
        """Return the rates of the dense run as this arm takes them."""
        return dense if self.peak is None else dense.at_peak(self.peak)

    def budget(self, epochs: int, dense_epochs: int, macs_ratio: float) -> int:
        """Return T; `epochs` is retrain.epochs, `macs_ratio` dense over pruned MACs."""
        if self.epochs == "dense_macs":
            return scratch_b_epochs(dense_epochs, macs_ratio)
        if self.epochs == "dense_macs_and_retraining":
            return scratch_b_epochs(dense_epochs, macs_ratio) + epochs
        if self.epochs == "dense":
            return dense_epochs
        if isinstance(self.epochs, Total):
            return self.epochs.total
        return epochs if self.epochs is None else self.epochs

    def split(self, budget: int, rounds: int) -> tuple[int, ...]:
        """Return the epochs of each round of pruning; `budget` is T.

        A Fault where rounds are too many, or unequal though all rewind to one checkpoint.
        """
        if not isinstance(self.epochs, Total):
            return (budget,) * rounds
        each = self.epochs.split(rounds)
        if self.start == "rewound" and len(set(each)) > 1:
            raise Fault(
                f"epochs.total is {budget}; as all rounds rewind to one epoch, it should be a "
                f"multiple of {rounds}, their number"
            )
        return each

    def curves(self, rounds: tuple[int, ...]) -> tuple[int, ...]:
        """Return the epochs of each curve over rounds of so many epochs."""
        return (sum(rounds),) if self.restart == "never" else rounds

    def technique(self) -> Technique:
        """Return the keys of the arm's own, without a state that its start has anyway."""
        own = self.as_technique()
        plain = own.model_copy(update={"state": None})
        return plain if plain.keeps_state(self.start) == own.keeps_state(self.start) else own

    def needed_epoch(self, epochs: int, dense_epochs: int) -> int | None:
        """Return the dense epoch whose checkpoint the arm needs, if any; `epochs` is its budget."""
        rewound = rewind_epoch(self.arm(), epochs, dense_epochs)
        return self.checkpoint_epoch(self.start, rewound, dense_epochs)

    @property
    def _curve(self) -> str:
        return str(getattr(self, "curve"))  # noqa: B009

    @property
    def _options(self) -> dict[str, Any]:
        return options_of(self, "curve", Schedule)


SCHEDULE: Any = schedule_types(Schedule)


class Retrain(Section):
    """The headline schedule, the budget of arms that name none, and the arms by name."""

    schedule: str
    epochs: Epochs
    schedules: Annotated[dict[Name, SCHEDULE], Field(min_length=1)]
