"""What chance decides in an epoch, drawn on the CPU from (seed, stream, epoch) alone.

No generator is carried from epoch to epoch: the position in the run is the generators' whole state,
so a run resumed at epoch k draws what the undisturbed run draws there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stages.params.recipe import Recipe
from stages.schedules.curve import steps_per_epoch

DENSE, PRUNE, RETRAIN = 0, 1, 2
"""Streams of chance; the rounds of iterative pruning retrain on RETRAIN, RETRAIN + 1, and so on."""


@dataclass(frozen=True)
class Epoch:
    """Tables of one epoch, each [steps, batch]: image, crop offsets in pixels, flip (or None)."""

    index: Tensor
    top: Tensor
    left: Tensor
    flip: Tensor | None


def epoch_tables(images: int, recipe: Recipe, seed: int, stream: int, epoch: int) -> Epoch:
    """Draw the order, crops and flips of an epoch over `images` images."""
    generator = np.random.default_rng([seed, stream, epoch])
    steps = steps_per_epoch(images, recipe.batch_size)
    shape = (steps, recipe.batch_size)
    index = generator.permutation(images)[: steps * recipe.batch_size].reshape(shape)
    offsets = generator.integers(0, 2 * recipe.augment.pad + 1, (2, *shape))
    flip = torch.from_numpy(generator.random(shape) < 0.5) if recipe.augment.flip else None
    top, left = torch.from_numpy(offsets)
    return Epoch(torch.from_numpy(index), top, left, flip)


def layer_seed(seed: int, stream: int, epoch: int) -> int:
    """Return the seed of torch's own generator in an epoch, which dropout layers draw from."""
    return int(np.random.SeedSequence([seed, stream, epoch]).generate_state(1, np.uint64)[0] >> 1)
