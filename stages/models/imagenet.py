"""torchvision's ImageNet networks, optionally with its IMAGENET1K_V1 weights."""

from collections.abc import Callable, Mapping
from pickle import UnpicklingError

from torch import Tensor, nn
from torchvision import models

from stages.networks.layers import initialise
from stages.pipeline.fault import Fault

CLASSES = 1000
WEIGHTS = "IMAGENET1K_V1"


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


def _adapted(
    factory: Callable[..., nn.Module], num_classes: int, in_channels: int, pretrained: bool
) -> nn.Module:
    """Build with 1000 classes and 3 channels, then replace the layers that do not fit."""
    if pretrained and in_channels != 3:
        raise Fault(f"pretrained: the weights take 3 image channels, the data has {in_channels}")
    network = factory(weights=None)
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
        initialise(stem)
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
