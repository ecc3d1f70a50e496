"""What a source of images returns, and what it can say before."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np


class Form(NamedTuple):
    """The shape of an image, and the number of classes."""

    channels: int
    height: int
    width: int
    classes: int


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
