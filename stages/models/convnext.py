"""A small ConvNeXt (Liu et al. 2022, section 2): images of 8x8 and more, signals of 8 and more."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.networks.layers import truncated_normal
from stages.pipeline.fault import Fault

SCALE = 1e-6
"""Of every channel of every block at the start, when each block is nearly the identity."""
STAGES = 3


class Block(nn.Module):
    """Depthwise convolution, LayerNorm, perceptron of one hidden layer, layer scale, added to x."""

    def __init__(self, width: int, hidden: int, kernel: tuple[int, int]) -> None:
        super().__init__()
        padding = kernel[0] // 2, kernel[1] // 2
        self.conv = nn.Conv2d(width, width, kernel, padding=padding, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)
        self.scale = nn.Parameter(torch.full((width,), SCALE))

    def forward(self, x: Tensor) -> Tensor:
        """[B, width, H, W] -> the same shape."""
        out = self.norm(self.conv(x).permute(0, 2, 3, 1))
        out = self.scale * self.fc2(F.gelu(self.fc1(out)))
        total: Tensor = x + out.permute(0, 3, 1, 2)
        return total


class Norm(nn.LayerNorm):
    """LayerNorm over the channels of [B, C, H, W]."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvNeXt(nn.Module):
    """A stem, three stages of `depths` blocks of `widths` channels, each of half as many places.

    `stride` is that of the stem and between stages, `kernel` the depthwise convolutions' (height,
    width); a block's hidden layer is `mlp_ratio` as wide as its input.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        widths: Sequence[int],
        depths: Sequence[int],
        mlp_ratio: float,
        kernel: tuple[int, int] = (7, 7),
        stride: tuple[int, int] = (2, 2),
    ) -> None:
        super().__init__()
        self.smallest = tuple(side**STAGES for side in stride)
        self.stages = nn.Sequential()
        for width, depth in zip(widths, depths, strict=True):
            before = [Norm(in_channels, eps=1e-6)] if len(self.stages) else []
            halving = nn.Conv2d(in_channels, width, stride, stride=stride)
            after = [] if before else [Norm(width, eps=1e-6)]
            blocks = (Block(width, round(mlp_ratio * width), kernel) for _ in range(depth))
            self.stages.append(nn.Sequential(*before, halving, *after, *blocks))
            in_channels = width
        self.norm = nn.LayerNorm(in_channels, eps=1e-6)
        self.head = nn.Linear(in_channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, in_channels, H, W] -> logits [B, num_classes]; a Fault for too small ones."""
        if any(side < least for side, least in zip(x.shape[-2:], self.smallest, strict=True)):
            given, least = list(x.shape[-2:]), list(self.smallest)
            raise Fault(f"convnext: images are {given}, its {STAGES} stages need at least {least}")
        logits: Tensor = self.head(self.norm(self.stages(x).mean((2, 3))))
        return logits


def initialise(network: nn.Module) -> None:
    """Re-initialise a network in place: weights N(0, 0.02), biases 0, layer scales 1e-6."""
    truncated_normal(network)
    for module in network.modules():
        if isinstance(module, Block):
            nn.init.constant_(module.scale, SCALE)


def convnext_tiny(
    num_classes: int,
    in_channels: int = 3,
    *,
    width: int = 16,
    depths: Sequence[int] = (2, 2, 2),
    mlp_ratio: float = 4.0,
) -> ConvNeXt:
    """Return a ConvNeXt of width, 2 width and 4 width channels, with filters of 7x7."""
    return ConvNeXt(num_classes, in_channels, _widths(width, depths), depths, mlp_ratio)


def convnext_tiny_1d(
    num_classes: int,
    in_channels: int = 1,
    *,
    width: int = 16,
    depths: Sequence[int] = (2, 2, 2),
    mlp_ratio: float = 4.0,
) -> ConvNeXt:
    """Return the same for signals [B, in_channels, 1, L], with filters of 1x7."""
    widths = _widths(width, depths)
    return ConvNeXt(num_classes, in_channels, widths, depths, mlp_ratio, (1, 7), (1, 2))


def _widths(width: int, depths: Sequence[int]) -> list[int]:
    if len(depths) != STAGES:
        raise Fault(f"model.options: depths is {list(depths)}; it must be a list of {STAGES}")
    return [width, 2 * width, 4 * width]
