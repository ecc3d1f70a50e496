"""CIFAR ResNets with identity mappings (He et al. 2016b): BatchNorm and ReLU before each conv."""

import torch.nn.functional as F
from torch import Tensor, nn

from stages.networks.layers import conv3x3, initialise, shortcut


class PreActBlock(nn.Module):
    """BatchNorm, ReLU, conv, twice, beside an untouched parameter-free shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.shortcut = shortcut(stride, in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, out_channels, H / stride, W / stride]; He et al. 2016b, figure 1."""
        out = self.conv1(F.relu(self.bn1(x)))
        total: Tensor = self.conv2(F.relu(self.bn2(out))) + self.shortcut(x)
        return total


class PreResNet(nn.Module):
    """A stem, three stages of `blocks` blocks, a last BatchNorm and ReLU, and a head."""

    def __init__(self, blocks: int, num_classes: int, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, width)
        self.layer1 = _stage(blocks, width, width, stride=1)
        self.layer2 = _stage(blocks, width, 2 * width, stride=2)
        self.layer3 = _stage(blocks, 2 * width, 4 * width, stride=2)
        self.bn = nn.BatchNorm2d(4 * width)
        self.fc = nn.Linear(4 * width, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, in_channels, H, W] -> logits [B, num_classes]."""
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        logits: Tensor = self.fc(F.relu(self.bn(x)).mean((2, 3)))
        return logits


def _stage(blocks: int, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    first = PreActBlock(in_channels, out_channels, stride)
    return nn.Sequential(
        first, *(PreActBlock(out_channels, out_channels, 1) for _ in range(blocks - 1))
    )


def preresnet20(num_classes: int, in_channels: int = 3, *, width: int = 16) -> PreResNet:
    """Pre-activation ResNet-20: three blocks a stage."""
    return PreResNet(3, num_classes, in_channels, width)


def preresnet56(num_classes: int, in_channels: int = 3, *, width: int = 16) -> PreResNet:
    """Pre-activation ResNet-56: nine blocks a stage."""
    return PreResNet(9, num_classes, in_channels, width)


def preresnet110(num_classes: int, in_channels: int = 3, *, width: int = 16) -> PreResNet:
    """Pre-activation ResNet-110: eighteen blocks a stage."""
    return PreResNet(18, num_classes, in_channels, width)
