"""Schedules in params.yaml: a curve with its options, and what every schedule has beside it."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stages.pipeline.options import entry, options_of, union
from stages.pipeline.section import Section
from stages.schedules.arm import Arm
from stages.schedules.registry import CURVES

Momentum = Annotated[float, Field(ge=0, lt=1)] | Literal["cycled"] | None


class DenseSchedule(Section):
    """What every schedule of the dense run has: its momentum; null is that of the recipe."""

    momentum: Momentum = None

    def arm(self) -> Arm:
        """Return the curve and momentum that this entry names."""
        name = getattr(self, "curve")  # noqa: B009
        return Arm("fresh", name, options_of(self, "curve", DenseSchedule), self.momentum)


def schedule_types(base: type[Section]) -> Any:
    """Return the type of an entry that names a curve: its options, and the keys of `base`."""
    return union([entry(name, curve, "curve", base) for name, curve in CURVES.items()], "curve")


DENSE_SCHEDULE: Any = schedule_types(DenseSchedule)
