"""The section `retrain`: the arms."""

from typing import Annotated

from pydantic import Field

from stages.pipeline.section import Epochs, Name, Section
from stages.schedules.settings import SCHEDULE


class Retrain(Section):
    """The headline schedule, the budget of arms that name none, and the arms by name."""

    schedule: str
    epochs: Epochs
    schedules: Annotated[dict[Name, SCHEDULE], Field(min_length=1)]
