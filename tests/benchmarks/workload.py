"""What is trained: a network, its images and its recipe, the same in every process."""

from dataclasses import dataclass

import numpy as np
import torch

from stages.images.prepared import ImageSet, Prepared
from stages.networks.building import Spec
from stages.training.settings import Recipe

CLASSES = 10
LR = 0.01
EVALUATION_BATCH = 128


@dataclass(frozen=True)
class Workload:
    """A network by its spec, images in memory, a recipe, and the epochs of an arm.

    `cut` says that an epoch is a part of a real one: what an epoch costs but once must not count.
    """

    spec: Spec
    data: Prepared
    recipe: Recipe
    epochs: int
    cut: bool


@dataclass(frozen=True)
class Sizes:
    """Numbers of images."""

    train: int
    validation: int
    test: int


def synthetic(
    factory: str,
    sizes: Sizes,
    *,
    shape: tuple[int, int, int] = (3, 32, 32),
    batch_size: int = 128,
    pad: int = 4,
    flip: bool = True,
) -> Workload:
    """Return a CIFAR ResNet on images of noise [C, H, W], and two epochs."""
    chance = np.random.default_rng(0)

    def draw(count: int) -> ImageSet:
        images = chance.integers(0, 256, (count, *shape), dtype=np.uint8)
        labels = chance.integers(0, CLASSES, count)
        return ImageSet(torch.from_numpy(images), torch.from_numpy(labels))

    train, validation, test = map(draw, (sizes.train, sizes.validation, sizes.test))
    mean, std = torch.full((2, shape[0]), 0.5)
    data = Prepared(train, validation, test, mean, std, CLASSES)
    recipe = Recipe(
        batch_size=batch_size,
        optimizer={"kind": "sgd", "weight_decay": 1e-4},
        augment={"crop": {"pad": pad}} | ({"flip": {}} if flip else {}),
    )
    spec = Spec("stages/models/resnet.py", factory, {}, CLASSES, shape[0])
    return Workload(spec, data, recipe, epochs=2, cut=True)
