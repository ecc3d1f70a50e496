"""CIFAR DenseNets without bottleneck or compression (Huang et al. 2017), from 4x4 images."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stages.networks.layers import conv3x3, initialise


class DenseLayer(nn.Module):
    """BatchNorm, ReLU and a 3x3 convolution whose `growth` channels join the input's."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(in_channels)
        self.conv = conv3x3(in_channels, growth)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C + growth, H, W]."""
        return torch.cat([x, self.conv(F.relu(self.bn(x)))], 1)


class Transition(nn.Module):
    """BatchNorm, ReLU, a 1x1 convolution that keeps the width, and 2x2 average pooling."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H / 2, W / 2]."""
        return F.avg_pool2d(self.conv(F.relu(self.bn(x))), 2)


class DenseNet(nn.Module):
    """A stem of 2 `growth` channels and three dense blocks of `layers` layers, and a head."""

    def __init__(self, layers: int, num_classes: int, in_channels: int, growth: int) -> None:
        super().__init__()
        first, second, third = (growth * (2 + layers * block) for block in range(3))
        last = third + growth * layers
        self.conv1 = conv3x3(in_channels, first)
        self.block1 = _block(layers, first, growth)
        self.transition1 = Transition(second)
        self.block2 = _block(layers, second, growth)
        self.transition2 = Transition(third)
        self.block3 = _block(layers, third, growth)
        self.bn = nn.BatchNorm2d(last)
        self.fc = nn.Linear(last, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, in_channels, H, W] -> logits [B, num_classes]."""
        x = self.transition1(self.block1(self.conv1(x)))
        x = self.block3(self.transition2(self.block2(x)))
        logits: Tensor = self.fc(F.relu(self.bn(x)).mean((2, 3)))
        return logits


def _block(layers: int, in_channels: int, growth: int) -> nn.Sequential:
    return nn.Sequential(*(DenseLayer(in_channels + growth * i, growth) for i in range(layers)))


def densenet40(num_classes: int, in_channels: int = 3, *, growth: int = 12) -> DenseNet:
    """DenseNet-40: twelve layers a block."""
    return DenseNet(12, num_classes, in_channels, growth)
