"""Random horizontal flip, as torchvision's RandomHorizontalFlip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stages.pipeline.section import Section

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor


class Flip(Section):
    """Mirror half of the images, left to right."""

    def draw(
        self, chance: Generator, shape: tuple[int, int], size: tuple[int, int]
    ) -> NDArray[Any]:
        """Return bool [steps, batch]: whether an image is mirrored."""
        return chance.random(shape) < 0.5

    def apply(self, images: Tensor, row: Tensor) -> Tensor:
        """Mirror the images where `row` is true."""
        import torch

        count = len(images)
        which = torch.arange(count, device=images.device) + count * row
        return torch.cat((images, images.flip(-1))).index_select(0, which)
