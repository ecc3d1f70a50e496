"""The section `train`: the dense run."""

from typing import Annotated

from pydantic import Field

from stages.params.recipe import Recipe
from stages.params.schedules import DENSE_SCHEDULE
from stages.params.section import Section
from stages.schedules.dense import Dense


class Train(Section):
    """The dense run: SGD for `epochs` epochs at learning rates up to `lr`, by `schedule`."""

    epochs: Annotated[int, Field(ge=1)]
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    schedule: DENSE_SCHEDULE
    checkpoint_every: Annotated[int, Field(ge=1)]
    recipe: Recipe

    def curve(self, steps_per_epoch: int) -> Dense:
        """Return the learning rate and momentum of every step of the dense run."""
        reference = Dense.constant(self.lr, self.recipe.momentum, steps_per_epoch)
        drawn = self.schedule.arm().curves(self.epochs, steps_per_epoch, reference)
        return Dense(drawn.lr, drawn.momentum, steps_per_epoch)
