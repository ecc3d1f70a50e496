"""Random crop after zero-padding, as torchvision's RandomCrop with `padding`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Ge

from stages.pipeline.section import Section

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor


class Crop(Section):
    """Pad images by `pad` pixels of zeros on each side and cut them back to their size anywhere."""

    pad: Annotated[int, Ge(1)]

    def draw(
        self, chance: Generator, shape: tuple[int, int], size: tuple[int, int]
    ) -> NDArray[Any]:
        """Return int64 [steps, 2, batch]: top and left of each window, from 0 to 2 * pad."""
        return np.moveaxis(chance.integers(0, 2 * self.pad + 1, (2, *shape)), 0, 1)

    def apply(self, images: Tensor, row: Tensor) -> Tensor:
        """Cut image i to the window that begins at row[0][i], row[1][i] of its padded self."""
        import torch
        import torch.nn.functional as F

        top, left = row
        padded = F.pad(images, (self.pad,) * 4)
        image, channel, line, column = padded.stride()
        # All windows of the padded batch as a view, numbered by where in memory they begin: one
        # gather instead of B slices, whose offsets would have to be known on the host.
        last = (len(images) - 1) * image + 2 * self.pad * (line + column)
        windows = padded.as_strided((last + 1, *images.shape[1:]), (1, channel, line, column))
        first = torch.arange(len(images), device=images.device) * image
        return windows.index_select(0, first + top * line + left * column)
