"""What a run may do beside the plain step; nothing, unless an arm's keys say so."""

from dataclasses import dataclass

from stages.training.averaging import Averaging
from stages.training.distillation import Teacher
from stages.training.soup import Soup


@dataclass(frozen=True)
class Extras:
    """The teacher that a run learns from, the average of its weights, the radius `rho` of SAM.

    0 is plain training (see `sharpness`). With a `soup` the run is several, one after another.
    `before` is what was spent before the first step, in forward MACs per training image.
    """

    teacher: Teacher | None = None
    averaging: Averaging | None = None
    rho: float = 0.0
    soup: Soup | None = None
    before: float = 0.0


PLAIN = Extras()
