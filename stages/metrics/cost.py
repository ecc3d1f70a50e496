"""What a network costs: parameters, those that are not zero, and multiply-accumulates."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass

import torch
from torch import Tensor, nn

CONVENTION = (
    "MACs: multiply-accumulates of convolutions and linear layers for one image, one MAC per "
    "weight use, zeros included; biases, BatchNorm and pooling are not counted. Parameters: "
    "weights, biases and BatchNorm scales, no buffers. Nonzero: parameters less the zeros in "
    "convolution and linear weights."
)


@dataclass(frozen=True)
class Cost:
    """Parameters, nonzero parameters and MACs of a network by CONVENTION."""

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
    """Cost of the network for one image of `input_shape` [C, H, W], by CONVENTION."""
    rows = layers(network, input_shape)
    return Cost(
        parameters=sum(row.parameters for row in rows),
        nonzero=sum(row.nonzero for row in rows),
        macs=sum(row.macs for row in rows),
    )


def mean(costs: Sequence[Cost]) -> Cost:
    """Return the mean cost of replicates, rounded: global criteria prune each differently."""
    return Cost(
        *(round(sum(values) / len(values)) for values in zip(*map(astuple, costs), strict=True))
    )


def layers(network: nn.Module, input_shape: Sequence[int]) -> list[LayerCost]:
    """Cost of each module that owns parameters, in the network's order, by CONVENTION."""
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

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        weight = module.get_parameter("weight")
        macs[module] = macs.get(module, 0) + output.numel() * weight[0].numel()

    counted = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    handles = [module.register_forward_hook(count) for module in counted]
    first = next(network.parameters())
    try:
        with _evaluating(network), torch.no_grad():
            network(torch.zeros(1, *input_shape, dtype=first.dtype, device=first.device))
    finally:
        for handle in handles:
            handle.remove()
    return macs


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
