"""The augmentations that `train.recipe.augment` can name, in the order in which they are applied.

An augmentation is a Section, whose fields are its options, with the two methods of `Augmentation`.
A new one is such a class in a file of this folder and a line here. The files import torch only
inside `apply`, so that params.yaml is checked without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from stages.images.augmentations.crop import Crop
from stages.images.augmentations.flip import Flip
from stages.images.augmentations.resized_crop import ResizedCrop

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor


class Augmentation(Protocol):
    """What chance does to training images."""

    def draw(
        self, chance: Generator, shape: tuple[int, int], size: tuple[int, int]
    ) -> NDArray[Any]:
        """Return the table of an epoch, [steps, ..., batch], on the CPU: one row a step.

        `shape` is steps and batch, `size` the height and width of an image.
        """

    def apply(self, images: Tensor, row: Tensor) -> Tensor:
        """Return a batch of uint8 images [B, C, H, W] changed as a row of the table decides.

        It runs on the device, maybe captured in a CUDA graph: no shape may depend on a value, and
        nothing may wait for the device.
        """


AUGMENTATIONS: dict[str, type[Augmentation]] = {
    "resized_crop": ResizedCrop,
    "crop": Crop,
    "flip": Flip,
}
