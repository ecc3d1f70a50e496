"""What a source of images returns."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Images(Protocol):
    """Images of one size, uint8 [N, C, H, W]: an array, or what reads those an index asks for."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Return N, C, H and W."""

    def __getitem__(self, index: np.ndarray, /) -> np.ndarray:
        """Return the images at `index`, int64 [B], as uint8 [B, C, H, W]."""


@dataclass(frozen=True)
class Raw:
    """A whole data set: its images, int64 labels [N], class names."""

    train_images: Images
    train_labels: np.ndarray
    test_images: Images
    test_labels: np.ndarray
    classes: tuple[str, ...]
