"""A random part of the image at the size of the whole, as torchvision's RandomResizedCrop."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from annotated_types import Gt, Le
from pydantic import AfterValidator

from stages.pipeline.section import Section

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor

TRIES = 10


def ascending(pair: tuple[float, float]) -> tuple[float, float]:
    """Return a range; a ValueError when its ends are the wrong way round."""
    if pair[0] > pair[1]:
        raise ValueError("it should be two numbers, the smaller one first")
    return pair


Share = Annotated[float, Gt(0), Le(1)]
Positive = Annotated[float, Gt(0), Le(1e6)]


class ResizedCrop(Section):
    """Crop a box of random area and shape and resize it bilinearly (Szegedy et al. 2015).

    `scale` is the range of the box's area as a part of the image's, `ratio` that of its width over
    its height.
    """

    scale: Annotated[tuple[Share, Share], AfterValidator(ascending)] = (0.08, 1.0)
    ratio: Annotated[tuple[Positive, Positive], AfterValidator(ascending)] = (3 / 4, 4 / 3)

    def draw(
        self, chance: Generator, shape: tuple[int, int], size: tuple[int, int]
    ) -> NDArray[Any]:
        """Return int64 [steps, 4, batch]: top, left, height and width of each box in pixels.

        Sampled as torchvision does: up to ten tries to draw a box that fits into the image, else
        the largest box in its middle whose ratio is allowed.
        """
        low, high = self.ratio
        height, width = self._largest(size)
        heights, widths = np.full(shape, height), np.full(shape, width)
        found = np.zeros(shape, dtype=bool)
        for _ in range(TRIES):
            area = size[0] * size[1] * chance.uniform(*self.scale, shape)
            aspect = np.exp(chance.uniform(log(low), log(high), shape))
            tall, wide = np.rint(np.sqrt(area / aspect)), np.rint(np.sqrt(area * aspect))
            fits = (tall > 0) & (tall <= size[0]) & (wide > 0) & (wide <= size[1]) & ~found
            heights[fits], widths[fits] = tall[fits], wide[fits]
            found |= fits
        spare = size[0] - heights, size[1] - widths
        top, left = (np.where(found, chance.integers(0, s + 1), s // 2) for s in spare)
        return np.stack([top, left, heights, widths], axis=1)

    def apply(self, images: Tensor, row: Tensor) -> Tensor:
        """Resample the box of each image, without antialiasing, rounded to whole grey levels."""
        import torch
        import torch.nn.functional as F

        top, left, height, width = row[:, :, None].float()
        y = _positions(top, height, images.shape[2])
        x = _positions(left, width, images.shape[3])
        whole = len(images), *images.shape[2:]
        grid = torch.stack((x[:, None, :].expand(whole), y[:, :, None].expand(whole)), -1)
        sampled = F.grid_sample(images.float(), grid, padding_mode="border", align_corners=False)
        return sampled.round().to(images.dtype)

    def _largest(self, size: tuple[int, int]) -> tuple[int, int]:
        height, width = size
        low, high = self.ratio
        if width / height < low:
            return max(1, round(width / low)), width
        if width / height > high:
            return height, max(1, round(height * high))
        return size


def _positions(start: Tensor, length: Tensor, size: int) -> Tensor:
    """Return where `size` output pixels are in a box, float32 [B, size], as grid_sample counts.

    Clamped to the centres of the box's outermost pixels: pixels beside the box take no part.
    """
    import torch

    centres = (torch.arange(size, device=start.device) + 0.5) / size
    inside = torch.minimum((centres * length - 0.5).clamp(min=0), length - 1)
    return (2 * (start + inside) + 1) / size - 1
