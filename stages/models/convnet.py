"""Plain convolutional networks of three layers, for signals and for small images.

After the network of convolutions of Greydanus (2020, MNIST-1D): three convolutions of stride 2,
with BatchNorm added, so that every criterion of pruning applies, and the mean over all places.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from stages.networks.layers import initialise


class ConvNet(nn.Module):
    """Three convolutions, each with BatchNorm and ReLU and half as many places, and a linear head.

    `kernels` are the sides (height, width) of their filters.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        widths: Sequence[int],
        kernels: Sequence[tuple[int, int]],
    ) -> None:
        super().__init__()
        self.features = nn.Sequential()
        for width, kernel in zip(widths, kernels, strict=True):
            padding = kernel[0] // 2, kernel[1] // 2
            conv = nn.Conv2d(in_channels, width, kernel, stride=2, padding=padding, bias=False)
            self.features.extend([conv, nn.BatchNorm2d(width), nn.ReLU()])
            in_channels = width
        self.fc = nn.Linear(in_channels, num_classes)
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, in_channels, H, W] -> logits [B, num_classes]."""
        logits: Tensor = self.fc(self.features(x).mean((2, 3)))
        return logits


def convnet(num_classes: int, in_channels: int = 1, *, width: int = 16) -> ConvNet:
    """Filters of 3x3: width, 2 width and 4 width of them."""
    return ConvNet(num_classes, in_channels, [width, 2 * width, 4 * width], [(3, 3)] * 3)


def convnet_1d(num_classes: int, in_channels: int = 1, *, width: int = 25) -> ConvNet:
    """Filters of 1x5, 1x3 and 1x3, of each as many, for signals [B, in_channels, 1, L]."""
    return ConvNet(num_classes, in_channels, [width] * 3, [(1, 5), (1, 3), (1, 3)])
