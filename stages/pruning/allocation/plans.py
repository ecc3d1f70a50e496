"""The published plans for whole networks, by name."""

from dataclasses import dataclass
from typing import Literal

PlanName = Literal[
    "ResNet-56-A",
    "ResNet-56-B",
    "ResNet-56-C",
    "ResNet-56-D",
    "ResNet-110-A",
    "ResNet-110-B",
    "ResNet-110-C",
    "ResNet-110-D",
    "VGG-16-A",
    "VGG-16-B",
    "VGG-16-C",
    "ResNet-18-C",
    "ResNet-18-D",
    "ResNet-34-A",
    "ResNet-34-B",
    "ResNet-34-C",
    "ResNet-34-D",
]


@dataclass(frozen=True)
class PerStage:
    """Ratios of filters to remove per stage, but for the convolutions in `skip` (PFEC indices).

    `layers` is the number of prunable convolutions of the network that the plan is made for.
    """

    layers: int
    ratios: tuple[float, ...]
    skip: tuple[int, ...]


@dataclass(frozen=True)
class PerLayer:
    """Filters to keep in each prunable convolution."""

    widths: tuple[int, ...]


SKIP_56 = (16, 18, 20, 34, 38, 54)
SKIP_110 = (36, 38, 74)
SKIP_34 = (2, 8, 14, 16, 26, 28, 30, 32)

PLANS: dict[PlanName, PerStage | PerLayer] = {
    "ResNet-56-A": PerStage(27, (0.1, 0.1, 0.1), (16, 20, 38, 54)),
    "ResNet-56-B": PerStage(27, (0.6, 0.3, 0.1), SKIP_56),
    "ResNet-56-C": PerStage(27, (0.6, 0.5, 0.4), SKIP_56),
    "ResNet-56-D": PerStage(27, (0.6, 0.6, 0.6), SKIP_56),
    "ResNet-110-A": PerStage(54, (0.5, 0.0, 0.0), (36,)),
    "ResNet-110-B": PerStage(54, (0.5, 0.4, 0.3), SKIP_110),
    "ResNet-110-C": PerStage(54, (0.5, 0.5, 0.5), SKIP_110),
    "ResNet-110-D": PerStage(54, (0.5, 0.6, 0.7), SKIP_110),
    "VGG-16-A": PerLayer((32, 64, 128, 128, 256, 256, 256, 256, 256, 256, 256, 256, 256)),
    "VGG-16-B": PerLayer((32, 64, 128, 128, 196, 196, 196, 196, 196, 256, 256, 256, 256)),
    "VGG-16-C": PerLayer((32, 64, 64, 128, 128, 128, 128, 196, 196, 196, 196, 196, 196)),
    "ResNet-18-C": PerStage(8, (0.1, 0.1, 0.2, 0.3), (16,)),
    "ResNet-18-D": PerStage(8, (0.2, 0.2, 0.3, 0.3), (16,)),
    "ResNet-34-A": PerStage(16, (0.3, 0.3, 0.3, 0.0), SKIP_34),
    "ResNet-34-B": PerStage(16, (0.5, 0.6, 0.4, 0.0), SKIP_34),
    "ResNet-34-C": PerStage(16, (0.5, 0.5, 0.5, 0.5), (2, 8, 14, 16, 26, 32)),
    "ResNet-34-D": PerStage(16, (0.4, 0.4, 0.5, 0.5), (32,)),
}
