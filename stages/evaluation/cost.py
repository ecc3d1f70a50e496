"""What a network costs: parameters, those that are not zero, and multiply-accumulates.

MACs are those of convolutions and linear layers for one image, the projections of an attention
among them, one MAC per weight use, zeros included; biases, normalisation, pooling and the products
inside an attention do not count. Parameters are weights, biases and scales, no buffers. Nonzero are
the parameters less the zeros in weights of more than one dimension.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Cost:
    """Parameters, nonzero parameters and MACs of a network, counted as this file says."""

    parameters: int
    nonzero: int
    macs: int


@dataclass(frozen=True)
class LayerCost:
    """The same for one module that owns parameters; `kind` is its class name."""

    name: str
    kind: str
    parameters: int
    nonzero: int
    macs: int


def cost(network: nn.Module, input_shape: Sequence[int]) -> Cost:
    """Cost of the network for one image of `input_shape` [C, H, W]."""
    rows = layers(network, input_shape)
    return Cost(
        parameters=sum(row.parameters for row in rows),
        nonzero=sum(row.nonzero for row in rows),
        macs=sum(row.macs for row in rows),
    )


def layers(network: nn.Module, input_shape: Sequence[int]) -> list[LayerCost]:
    """Cost of each module that owns parameters, in the network's order."""
    macs = _macs(network, input_shape)
    return [
        LayerCost(
            name=name,
            kind=type(module).__name__,
            parameters=sum(parameter.numel() for parameter in parameters),
            nonzero=sum(_nonzero(parameter) for parameter in parameters),
            macs=macs.get(module, 0),
        )
        for name, module in network.named_modules()
        if (parameters := list(module.parameters(recurse=False)))
    ]


def _nonzero(parameter: Tensor) -> int:
    return int(parameter.count_nonzero()) if parameter.ndim > 1 else parameter.numel()


def _macs(network: nn.Module, input_shape: Sequence[int]) -> dict[nn.Module, int]:
    macs: dict[nn.Module, int] = {}

    def count(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], made: Any) -> None:
        if isinstance(module, nn.MultiheadAttention):
            found = _projections(module, *given, **named)
        else:
            found = made.numel() * module.get_parameter("weight")[0].numel()
        macs[module] = macs.get(module, 0) + found

    kinds = (nn.Conv2d, nn.Linear, nn.MultiheadAttention)
    counted = [module for module in network.modules() if isinstance(module, kinds)]
    handles = [module.register_forward_hook(count, with_kwargs=True) for module in counted]
    first = next(network.parameters())
    try:
        with _evaluating(network), torch.no_grad():
            network(torch.zeros(1, *input_shape, dtype=first.dtype, device=first.device))
    finally:
        for handle in handles:
            handle.remove()
    return macs


def _projections(
    attention: nn.MultiheadAttention, query: Tensor, key: Tensor, value: Tensor, **options: Any
) -> int:
    """Return the MACs of an attention's four projections, which it computes without its layers."""
    width: int = attention.embed_dim
    read = sum(tensor.numel() * width for tensor in (query, key, value))
    return read + query.numel() * width


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
