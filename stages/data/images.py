"""The prepared images in memory, as torch tensors."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from stages.files import load_arrays, read_json


@dataclass(frozen=True)
class ImageSet:
    """Images, uint8 [N, C, H, W], and labels, int64 [N]."""

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device) -> Self:
        """Return the same set on a device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


@dataclass(frozen=True)
class Prepared:
    """What `prepare` made; mean and std of pixels / 255 are float32 [C], `classes` their number."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet
    mean: Tensor
    std: Tensor
    classes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return channels, height and width of an image."""
        channels, height, width = self.train.images.shape[1:]
        return channels, height, width

    def to(self, device: torch.device) -> Self:
        """Return the same data on a device."""
        parts = {name: getattr(self, name).to(device) for name in ("train", "validation", "test")}
        return replace(self, **parts, mean=self.mean.to(device), std=self.std.to(device))


def load(folder: Path | str) -> Prepared:
    """Read data/prepared; a Fault when a file is missing or damaged.

    Without a validation part the training images are not copied.
    """
    arrays = load_arrays(Path(folder) / "images.safetensors")
    about = read_json(Path(folder) / "description.json")
    images, labels = arrays["train_images"], arrays["train_labels"]
    return Prepared(
        train=_part(images, labels, arrays["train_index"]),
        validation=_part(images, labels, arrays["validation_index"]),
        test=ImageSet(*map(torch.from_numpy, (arrays["test_images"], arrays["test_labels"]))),
        mean=torch.tensor(about["mean"]),
        std=torch.tensor(about["std"]),
        classes=len(about["classes"]),
    )


def _part(images: np.ndarray, labels: np.ndarray, index: np.ndarray) -> ImageSet:
    if len(index) < len(labels):
        images, labels = images[index], labels[index]
    return ImageSet(torch.from_numpy(images), torch.from_numpy(labels))
