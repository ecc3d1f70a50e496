"""The look at which a study that grows is judged."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.reporting.settings import Compare
from stages.statistics.looks import levels_at, look_levels
from stages.statistics.verdicts import Levels


@dataclass(frozen=True)
class Look:
    """A look at so many `replicates`, of those `planned`.

    `levels` are its own, `last` those of the last look; all looks together keep `confidence`.
    """

    planned: Sequence[int]
    replicates: int
    confidence: float
    levels: Levels
    last: Levels


def look_at(settings: Compare, replicates: int) -> Look | None:
    """Return the look of a study of so many replicates; None where no looks are planned."""
    if not settings.looks:
        return None
    error = 1 - settings.confidence
    asked = Levels(error, error)
    levels = levels_at(replicates, settings.looks, asked)
    *_, last = look_levels(settings.looks, asked)
    return Look(settings.looks, replicates, settings.confidence, levels, last)
