"""The tensors that criteria look at, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.pruning.method import CHANNELS, Units

if TYPE_CHECKING:
    from torch import Tensor, nn

IN_PROJECTIONS = ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight")
"""What torch's attention holds of q, k and v: one of them all, or one of each."""


def filters(model: nn.Module, units: Units = CHANNELS) -> dict[str, Tensor]:
    """Return the weights of each layer that makes units, [outputs, ...] by module name, in order.

    Of channels these are the convolutions, of neurons and heads the linear layers too, and the
    weights of q, k and v of torch's attention by the attention's name.
    """
    names = weight_names(model, units)
    return {module: model.get_parameter(name).detach() for module, name in names.items()}


def weight_names(model: nn.Module, units: Units = CHANNELS) -> dict[str, str]:
    """Return the parameter's name of each layer's weights in `filters`, by module name."""
    from torch import nn

    leaves: dict[type[nn.Module], str] = {nn.Conv2d: "weight"}
    if units != CHANNELS:
        leaves |= {nn.Linear: "weight", nn.MultiheadAttention: "in_proj_weight"}
    return {
        name: f"{name}.{leaf}".lstrip(".")
        for name, module in model.named_modules()
        for kind, leaf in leaves.items()
        if isinstance(module, kind) and getattr(module, leaf) is not None
    }


def weights(model: nn.Module, linear: bool = True) -> dict[str, Tensor]:
    """Return the weights of convolutions by parameter name, in module order.

    If `linear`, those of linear layers too, q, k and v of torch's attention among them, which it
    holds itself. Never those of BatchNorm, and no biases.
    """
    from torch import nn

    leaves: dict[type[nn.Module], tuple[str, ...]] = {nn.Conv2d: ("weight",)}
    if linear:
        leaves |= {nn.Linear: ("weight",), nn.MultiheadAttention: IN_PROJECTIONS}
    return {
        f"{name}.{leaf}".lstrip("."): getattr(module, leaf).detach()
        for name, module in model.named_modules()
        for kind, names in leaves.items()
        for leaf in names
        if isinstance(module, kind) and getattr(module, leaf, None) is not None
    }


def batchnorms(model: nn.Module) -> dict[str, tuple[Tensor, Tensor]]:
    """Return scale and shift [channels] of each BatchNorm that has them, by module name."""
    from torch import nn

    return {
        name: (module.weight.detach(), module.bias.detach())
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d) and module.affine
    }
