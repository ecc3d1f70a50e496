"""The section `retrain`: the arms."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stages.pipeline.options import options_of
from stages.pipeline.section import Epochs, Name, Section
from stages.retraining.technique import Technique
from stages.schedules.arm import Arm, rewind_epoch, scratch_b_epochs
from stages.schedules.dense import DenseRates, Peak
from stages.schedules.settings import Momentum, schedule_types
from stages.schedules.starts import Start

Budget = Epochs | Literal["dense", "dense_macs"] | None


class Schedule(Technique):
    """What every retraining schedule has: start, momentum, budget in epochs, and a `Technique`.

    Momentum null is the curve's own. With a `peak` the arm has the dense run's learning rates in
    that proportion: "max" is the peak, and so is the largest of a curve that is repeated. Epochs
    null is retrain.epochs; "dense" is those of the dense run; "dense_macs" is as many as cost what
    dense training did (Liu 2019, Scratch-B).
    """

    start: Start = "final"
    momentum: Momentum = None
    peak: Peak | None = None
    epochs: Budget = None

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
        if self.epochs == "dense":
            return dense_epochs
        return self.epochs or epochs

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
