"""CIFAR ResNets of basic blocks, depth 6n + 2 (He et al. 2016, section 4.2), from 4x4 images."""

import torch.nn.functional as F
from torch import Tensor, nn

from stages.networks.layers import conv3x3, initialise, shortcut


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a parameter-free shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels, stride)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = shortcut(stride, in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, out_channels, H / stride, W / stride]."""
        out = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(out)) + self.shortcut(x))


class ResNet(nn.Module):
    """A stem, three stages of `blocks` blocks with width, 2 width, 4 width channels, and a head."""

    def __init__(self, blocks: int, num_classes: int, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, width)
        self.bn1 = nn.BatchNorm2d(width)
        self.layer1 = _stage(blocks, width, width, stride=1)
        self.layer2 = _stage(blocks, width, 2 * width, stride=2)
        self.layer3 = _stage(blocks, 2 * width, 4 * width, stride=2)
        self.fc = nn.Linear(4 * width, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, in_channels, H, W] -> logits [B, num_classes]."""
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def _stage(blocks: int, in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    first = BasicBlock(in_channels, out_channels, stride)
    return nn.Sequential(
        first, *(BasicBlock(out_channels, out_channels, 1) for _ in range(blocks - 1))
    )


def resnet8(num_classes: int, in_channels: int = 3, *, width: int = 16) -> ResNet:
    """ResNet-8: one block a stage."""
    return ResNet(1, num_classes, in_channels, width)


def resnet20(num_classes: int, in_channels: int = 3, *, width: int = 16) -> ResNet:
    """ResNet-20: three blocks a stage."""
    return ResNet(3, num_classes, in_channels, width)


def resnet32(num_classes: int, in_channels: int = 3, *, width: int = 16) -> ResNet:
    """ResNet-32: five blocks a stage."""
    return ResNet(5, num_classes, in_channels, width)


def resnet44(num_classes: int, in_channels: int = 3, *, width: int = 16) -> ResNet:
    """ResNet-44: seven blocks a stage."""
    return ResNet(7, num_classes, in_channels, width)


def resnet56(num_classes: int, in_channels: int = 3, *, width: int = 16) -> ResNet:
    """ResNet-56: nine blocks a stage."""
    return ResNet(9, num_classes, in_channels, width)


def resnet110(num_classes: int, in_channels: int = 3, *, width: int = 16) -> ResNet:
    """ResNet-110: eighteen blocks a stage."""
    return ResNet(18, num_classes, in_channels, width)
