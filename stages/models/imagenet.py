"""torchvision's ImageNet networks, optionally with its IMAGENET1K_V1 weights."""

from collections.abc import Callable, Mapping
from pickle import UnpicklingError
from typing import Any

from torch import Tensor, nn
from torchvision import models

from stages.networks import layers
from stages.pipeline.fault import Fault

CLASSES = 1000
WEIGHTS = "IMAGENET1K_V1"
IMAGE = 224
"""The side of the images that a ViT's weights have positions for."""


def resnet18(num_classes: int, in_channels: int = 3, *, pretrained: bool = False) -> nn.Module:
    """ResNet-18 of basic blocks."""
    return _adapted(models.resnet18, num_classes, in_channels, pretrained)


def resnet34(num_classes: int, in_channels: int = 3, *, pretrained: bool = False) -> nn.Module:
    """ResNet-34 of basic blocks."""
    return _adapted(models.resnet34, num_classes, in_channels, pretrained)


def resnet50(num_classes: int, in_channels: int = 3, *, pretrained: bool = False) -> nn.Module:
    """ResNet-50 of bottleneck blocks."""
    return _adapted(models.resnet50, num_classes, in_channels, pretrained)


def mobilenet_v2(num_classes: int, in_channels: int = 3, *, pretrained: bool = False) -> nn.Module:
    """MobileNetV2."""
    return _adapted(models.mobilenet_v2, num_classes, in_channels, pretrained)


def efficientnet_b0(
    num_classes: int, in_channels: int = 3, *, pretrained: bool = False
) -> nn.Module:
    """EfficientNet-B0."""
    return _adapted(models.efficientnet_b0, num_classes, in_channels, pretrained)


def vit_b_16(
    num_classes: int, in_channels: int = 3, *, image_size: int = IMAGE, pretrained: bool = False
) -> nn.Module:
    """ViT-B/16, for square images of `image_size` pixels a side, a multiple of 16."""
    if pretrained and image_size != IMAGE:
        raise Fault(f"pretrained: the weights take images of {IMAGE}, image_size is {image_size}")
    return _adapted(models.vit_b_16, num_classes, in_channels, pretrained, image_size=image_size)


def swin_t(num_classes: int, in_channels: int = 3, *, pretrained: bool = False) -> nn.Module:
    """Swin-T."""
    return _adapted(models.swin_t, num_classes, in_channels, pretrained)


def convnext_tiny(num_classes: int, in_channels: int = 3, *, pretrained: bool = False) -> nn.Module:
    """ConvNeXt-T."""
    return _adapted(models.convnext_tiny, num_classes, in_channels, pretrained)


def initialise(network: nn.Module) -> None:
    """Re-initialise a convolutional network of torchvision in place, by `layers.initialise`.

    Those with LayerNorm (ViT, Swin, ConvNeXt) stay as torchvision builds them.
    """
    if not any(isinstance(module, nn.LayerNorm) for module in network.modules()):
        layers.initialise(network)


def _adapted(
    factory: Callable[..., nn.Module],
    num_classes: int,
    in_channels: int,
    pretrained: bool,
    **options: Any,
) -> nn.Module:
    """Build with 1000 classes and 3 channels, then replace the layers that do not fit."""
    if pretrained and in_channels != 3:
        raise Fault(f"pretrained: the weights take 3 image channels, the data has {in_channels}")
    network = factory(weights=None, **options)
    if pretrained:
        network.load_state_dict(_weights(factory))
    if num_classes != CLASSES:
        name, head = [item for item in network.named_modules() if isinstance(item[1], nn.Linear)][
            -1
        ]
        network.set_submodule(name, nn.Linear(head.in_features, num_classes))
    if in_channels != 3:
        stem = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
        stem.in_channels = in_channels
        stem.weight = nn.Parameter(
            stem.weight.new_empty(len(stem.weight), in_channels, *stem.kernel_size)
        )
        layers.initialise(stem)
    return network


def _weights(factory: Callable[..., nn.Module]) -> Mapping[str, Tensor]:
    """Return torchvision's weights of a network: tensors alone, whatever the pickle asks for."""
    try:
        weights = models.get_model_weights(factory)[WEIGHTS]
        state: Mapping[str, Tensor] = weights.get_state_dict(check_hash=True, weights_only=True)
    except (OSError, RuntimeError, UnpicklingError) as error:
        reason = " ".join(f"{error}".split())
        raise Fault(f"pretrained: no weights for {factory.__name__} ({reason})") from error
    return state
