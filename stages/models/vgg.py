"""VGG-16 with BatchNorm for small images (Li et al. 2017, section 4.1), from 16x16."""

from torch import Tensor, nn

from stages.networks import layers
from stages.networks.layers import conv3x3
from stages.pipeline.fault import Fault

SMALLEST = 16
WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class VGG(nn.Module):
    """Five groups of 3x3 convolutions with pooling between them, and a head of two layers."""

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.features = nn.Sequential(*_features(in_channels))
        self.classifier = nn.Sequential(
            nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, num_classes)
        )
        initialise(self)

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, in_channels, H, W] -> logits [B, num_classes]; a Fault below 16x16."""
        if min(x.shape[-2:]) < SMALLEST:
            size = "x".join(str(side) for side in x.shape[-2:])
            raise Fault(f"vgg16_bn: images are {size}, its four poolings need at least 16x16")
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits


def _features(in_channels: int) -> list[nn.Module]:
    parts: list[nn.Module] = []
    for group in WIDTHS:
        parts += [nn.MaxPool2d(2)] if parts else []
        for width in group:
            parts += [conv3x3(in_channels, width), nn.BatchNorm2d(width), nn.ReLU()]
            in_channels = width
    return parts


def initialise(network: nn.Module) -> None:
    """Re-initialise a network in place as pruning papers do for VGG.

    Convolutions: Kaiming normal by fan_out; BatchNorm2d: scale 0.5; linear: N(0, 0.01), bias 0.
    """
    layers.initialise(network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.weight, 0.5)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)


def vgg16_bn(num_classes: int, in_channels: int = 3) -> VGG:
    """VGG-16 with BatchNorm: thirteen convolutions without bias, two linear layers."""
    return VGG(num_classes, in_channels)
