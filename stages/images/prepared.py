"""The prepared images as torch tensors."""

import warnings
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from stages.data.memory import mention_size
from stages.pipeline.files import map_array, read_json
from stages.pipeline.params import parse
from stages.pipeline.section import Section

PARTS = "train", "validation", "test"
CPU = torch.device("cpu")
Count = Annotated[int, Field(ge=1)]
SHARE = 0.1
"""The part of a GPU's free memory that images may take: several replicates each hold theirs."""


@dataclass(frozen=True)
class ImageSet:
    """Images, uint8 [N, C, H, W], to read only, and labels, int64 [N]."""

    images: Tensor
    labels: Tensor

    def to(self, device: torch.device, images: bool = True) -> Self:
        """Return the same set on a device; `images` false leaves those where they are."""
        moved = self.images.to(device) if images else self.images
        return replace(self, images=moved, labels=self.labels.to(device))


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

    @property
    def nbytes(self) -> int:
        """Return the bytes of all images."""
        return sum(getattr(self, part).images.nbytes for part in PARTS)

    def to(self, device: torch.device, notify: bool = False) -> Self:
        """Return the same data on a device, but images too large for a GPU where they are.

        `notify` prints a line when they are.
        """
        fits = True
        if device.type == "cuda":
            room = int(SHARE * torch.cuda.mem_get_info(device)[0])
            fits = self.nbytes <= room
            if notify:
                mention_size(self.nbytes, room, "sent to the GPU")
        parts = {part: getattr(self, part).to(device, images=fits) for part in PARTS}
        return replace(self, **parts, mean=self.mean.to(device), std=self.std.to(device))


class _Description(Section):
    """What description.json holds: the images' shape, the number in each part, their statistics."""

    source: str = ""
    classes: tuple[str, ...]
    channels: Count
    height: Count
    width: Count
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Count
    validation: Annotated[int, Field(ge=0)]
    test: Count


def load(folder: Path | str, device: torch.device = CPU, notify: bool = False) -> Prepared:
    """Open data/prepared; a Fault when a file is missing, damaged or not as the description says.

    On a CPU images are mapped, not copied: they are read where they are touched, and forked
    processes share them. Writing to them kills the process. `notify` prints when they are larger
    than memory, or than what they may take of the GPU's.
    """
    folder = Path(folder)
    path = folder / "description.json"
    about: _Description = parse(_Description, read_json(path), file=path)
    shape = about.channels, about.height, about.width
    counts = {part: getattr(about, part) for part in PARTS}
    if notify:
        mention_size(sum(counts.values()) * prod(shape))
    data = Prepared(
        **{part: _part(folder, part, (counts[part], *shape)) for part in PARTS},
        mean=torch.tensor(about.mean),
        std=torch.tensor(about.std),
        classes=len(about.classes),
    )
    return data.to(device, notify)


def _part(folder: Path, part: str, shape: tuple[int, ...]) -> ImageSet:
    images = map_array(folder / f"{part}_images.npy", np.uint8, shape)
    labels = map_array(folder / f"{part}_labels.npy", np.int64, shape[:1])
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # of memory to read only
        return ImageSet(torch.from_numpy(images), torch.from_numpy(labels.copy()))
