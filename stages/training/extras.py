"""What a run may do beside the plain step; nothing, unless an arm's keys say so."""

from dataclasses import dataclass

from stages.training.averaging import Averaging
from stages.training.distillation import Teacher


@dataclass(frozen=True)
class Extras:
    """The teacher that a run learns from, the average of its weights."""

    teacher: Teacher | None = None
    averaging: Averaging | None = None


PLAIN = Extras()
