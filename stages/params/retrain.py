"""The section `retrain`: the arms."""

from typing import Annotated

from pydantic import Field

from stages.params.names import Name
from stages.params.schedules import SCHEDULE
from stages.params.section import Section


class Retrain(Section):
    """The headline schedule, the budget of arms that name none, and the arms by name."""

    schedule: str
    epochs: Annotated[int, Field(ge=1)]
    schedules: Annotated[dict[Name, SCHEDULE], Field(min_length=1)]
