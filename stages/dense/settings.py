"""The section `train`: the dense run."""

from typing import Annotated

from pydantic import Field

from stages.pipeline.section import Epochs, Section
from stages.schedules.dense import DenseRates, Peak
from stages.schedules.settings import DENSE_SCHEDULE
from stages.training.settings import Recipe


class Train(Section):
    """The dense run: `epochs` epochs at learning rates up to `lr`, by `schedule`.

    Where `weights` holds trained weights (see `dense.given`), these say how they were trained.
    `devices`, the number over which a replicate is trained, and `recipe` are those of retraining
    too.
    """

    epochs: Epochs
    lr: Peak
    schedule: DENSE_SCHEDULE
    weights: str = "data/weights/none"
    checkpoint_every: Annotated[int, Field(ge=1)]
    devices: Annotated[int, Field(ge=1, le=1024)] = 1
    recipe: Recipe

    def rates(self, steps_per_epoch: int) -> DenseRates:
        """Return the learning rate and momentum of every step of the dense run."""
        reference = DenseRates.constant(self.lr, self.recipe.optimizer.momentum, steps_per_epoch)
        drawn = self.schedule.arm().rates(self.epochs, steps_per_epoch, reference)
        return DenseRates(drawn.lr, drawn.momentum, steps_per_epoch)
