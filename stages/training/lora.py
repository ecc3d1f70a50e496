"""Masked low-rank adapters (MaskLoRA of PERP, Zimmer et al. 2023), as parametrizations of torch."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize


class Place(NamedTuple):
    """Where a weight is: the name that it has in the network, its module, its name there."""

    name: str
    module: nn.Module
    leaf: str

    @property
    def weight(self) -> nn.Parameter:
        """Return the weight."""
        return self.module.get_parameter(self.leaf)


class Adapter(nn.Module):
    """A frozen weight W [outputs, ...] as W + alpha / rank * (B A ⊙ mask), A and B trained.

    A [rank, weights of one output] is drawn as the weights of a linear layer are, B [outputs, rank]
    is 0, so that training starts at W. Without a mask it is plain LoRA (Hu et al. 2022).
    """

    def __init__(
        self,
        weight: Tensor,
        rank: int,
        alpha: float,
        mask: Tensor | None,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.scale = alpha / rank
        self.mask = None if mask is None else torch.zeros_like(weight).copy_(mask)
        inputs = weight[0].numel()
        bound = 1 / math.sqrt(inputs)
        drawn = torch.empty(rank, inputs).uniform_(-bound, bound, generator=generator)
        self.a = nn.Parameter(drawn.to(weight.device))
        self.b = nn.Parameter(torch.zeros(len(weight), rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight with the update, float32 whatever the precision of the step."""
        with torch.autocast(weight.device.type, enabled=False):
            update = (self.b @ self.a).view(weight.shape)
        update = update if self.mask is None else update * self.mask
        return weight + self.scale * update


def places(network: nn.Module) -> Iterator[Place]:
    """Yield the weights that can be adapted: of linear layers, convolutions and attentions."""
    for name, module in network.named_modules():
        leaf = "in_proj_weight" if isinstance(module, nn.MultiheadAttention) else "weight"
        kinds = nn.Linear | nn.modules.conv._ConvNd | nn.MultiheadAttention
        if isinstance(module, kinds) and isinstance(getattr(module, leaf), nn.Parameter):
            yield Place(f"{name}.{leaf}".lstrip("."), module, leaf)


def adapt(place: Place, adapter: Adapter) -> None:
    """Freeze a weight, and train its adapter in its stead."""
    place.weight.requires_grad_(False)
    parametrize.register_parametrization(place.module, place.leaf, adapter)


def merged(network: nn.Module) -> dict[str, Tensor]:
    """Return the weights by the names that they have without adapters, those merged in.

    They are the network's own parameters where it has none. (torch's remove_parametrizations merges
    in place, and breaks every copy of a network: copies share the class that it takes apart.)
    """
    weights: dict[str, Tensor] = dict(network.named_parameters())
    for name, module in network.named_modules():
        if parametrize.is_parametrized(module):
            for leaf in module.parametrizations:
                weights[f"{name}.{leaf}".lstrip(".")] = getattr(module, leaf)
    return weights
