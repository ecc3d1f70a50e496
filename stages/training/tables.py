"""What chance decides in an epoch, drawn on the CPU from (seed, stream, epoch) alone.

No generator is carried from epoch to epoch: the position in the run is the generators' whole state,
so a run resumed at epoch k draws what the undisturbed run draws there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stages.schedules.rates import steps_per_epoch
from stages.training.settings import Recipe


@dataclass(frozen=True)
class Tables:
    """Tables of one epoch: the images [steps, batch], each augmentation's [steps, ..., batch]."""

    images: Tensor
    augmentations: list[Tensor]

    def share(self, number: int, devices: int) -> Self:
        """Return the tables of one of so many equal shares of every batch."""
        images, *others = (t.chunk(devices, -1)[number] for t in (self.images, *self.augmentations))
        return replace(self, images=images, augmentations=others)


def epoch_tables(
    shape: Sequence[int], recipe: Recipe, seed: int, stream: int, epoch: int
) -> Tables:
    """Draw the order, then the augmentations, of an epoch over images of `shape` [N, C, H, W]."""
    chance = np.random.default_rng([seed, stream, epoch])
    count, _, height, width = shape
    steps = steps_per_epoch(count, recipe.batch_size)
    batches = steps, recipe.batch_size
    images = chance.permutation(count)[: steps * recipe.batch_size].reshape(batches)
    used = recipe.augment.used()
    drawn = [augmentation.draw(chance, batches, (height, width)) for augmentation in used]
    return Tables(torch.from_numpy(images), [torch.from_numpy(table) for table in drawn])
