"""The tensors that criteria look at, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn


def filters(model: nn.Module) -> dict[str, Tensor]:
    """Return each convolution's weights, [out_channels, ...] by module name, in module order."""
    from torch import nn

    return {
        name: module.weight.detach()
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d)
    }


def weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of convolutions and linear layers by parameter name, in module order.

    Never those of BatchNorm, and no biases.
    """
    from torch import nn

    return {
        f"{name}.weight".lstrip("."): module.weight.detach()
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def batchnorms(model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Return scale and shift [channels] of each BatchNorm that has them, by module name."""
    from torch import nn

    return {
        name: (module.weight.detach(), module.bias.detach())
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine
    }
