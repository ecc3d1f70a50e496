"""Schedules in params.yaml: a curve with its options, a momentum, a start, a budget."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stages.pipeline.options import entry, options_of, union
from stages.pipeline.section import Epochs, Section
from stages.schedules.arm import Arm, scratch_b_epochs
from stages.schedules.registry import CURVES
from stages.schedules.starts import Start

Momentum = Annotated[float, Field(ge=0, lt=1)] | Literal["cycled"] | None
Budget = Epochs | Literal["dense", "dense_macs"] | None


class DenseSchedule(Section):
    """What every schedule of the dense run has: its momentum; null is that of the recipe."""

    momentum: Momentum = None

    def arm(self) -> Arm:
        """Return the curve and momentum that this entry names."""
        name = getattr(self, "curve")  # noqa: B009
        return Arm("fresh", name, options_of(self, "curve", DenseSchedule), self.momentum)


class Schedule(Section):
    """What every retraining schedule has: start, momentum, budget in epochs.

    Momentum null is the curve's own. Epochs null is retrain.epochs; "dense" is those of the dense
    run; "dense_macs" is as many as cost what dense training did (Liu 2019, Scratch-B).
    """

    start: Start = "final"
    momentum: Momentum = None
    epochs: Budget = None

    def arm(self) -> Arm:
        """Return the arm that this entry names."""
        name = getattr(self, "curve")  # noqa: B009
        return Arm(self.start, name, options_of(self, "curve", Schedule), self.momentum)

    def budget(self, epochs: int, dense_epochs: int, macs_ratio: float) -> int:
        """Return T; `epochs` is retrain.epochs, `macs_ratio` dense over pruned MACs."""
        if self.epochs == "dense_macs":
            return scratch_b_epochs(dense_epochs, macs_ratio)
        if self.epochs == "dense":
            return dense_epochs
        return self.epochs or epochs


def _entries(base: type[Section]) -> Any:
    return union([entry(name, curve, "curve", base) for name, curve in CURVES.items()], "curve")


DENSE_SCHEDULE: Any = _entries(DenseSchedule)
SCHEDULE: Any = _entries(Schedule)
