"""A pruned network from what is kept of it: really smaller, or as large with silent channels."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.fault import Fault
from stages.models.compact import Kept, cut, resize

TOLERANCE = 1e-5


def compact_form(network: nn.Module, kept: Kept) -> nn.Module:
    """Return a smaller copy of the network that holds only what is kept."""
    tensors = network.state_dict()
    tensors.update(cut(tensors, kept))
    smaller = copy.deepcopy(network)
    resize(smaller, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    smaller.load_state_dict(tensors)
    return smaller


def masked_form(network: nn.Module, kept: Kept) -> nn.Module:
    """Return a copy with the shapes of the network, in which whatever is not kept is silent.

    Zeroed are the filter, its bias, the scale, shift and statistics of every BatchNorm that the
    channel passes, and the weights that read it: a removed channel is a constant 0 everywhere.
    """
    silent = copy.deepcopy(network)
    tensors = silent.state_dict()
    tensors.update({name: _silenced(tensors[name], dims) for name, dims in kept.items()})
    silent.load_state_dict(tensors)
    return silent


def check_equivalence(
    masked: nn.Module, compact: nn.Module, images: Tensor, tolerance: float = TOLERANCE
) -> float:
    """Return the largest difference between the logits of two networks on [B, C, H, W].

    It is relative to the largest logit where that exceeds 1. Raises a Fault above `tolerance`.
    """
    theirs = _logits(masked, images)
    try:
        ours = _logits(compact, images)
    except Exception as error:
        raise Fault(f"surgery: the compact network cannot run: {error}") from error
    if ours.shape != theirs.shape:
        shapes = f"{list(ours.shape)} against {list(theirs.shape)}"
        raise Fault(f"surgery: the compact network gives logits {shapes} of the masked one")
    difference = float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1))
    if not difference <= tolerance:
        layer = _first_difference(masked, compact, images, tolerance)
        raise Fault(
            f"surgery: logits of the compact and the masked network differ by {difference:.2g}, "
            f"first at {layer}; at most {tolerance:.2g} is allowed"
        )
    return difference


def _first_difference(
    masked: nn.Module, compact: nn.Module, images: Tensor, tolerance: float
) -> str:
    """Name the first convolution or linear layer whose output has another sum in both networks.

    Channels that are gone from the one are silent in the other, so sums over channels agree.
    """
    ours, theirs = (_sums(network, images) for network in (compact, masked))
    for name, whole in theirs.items():
        limit = tolerance * float(whole.abs().max().clamp(min=1))
        if name not in ours or not float((ours[name] - whole).abs().max()) <= limit:
            return name
    return "the logits alone"


def _sums(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    sums: dict[str, Tensor] = {}

    def watch(name: str, module: nn.Module) -> None:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            sums.setdefault(name, output.sum(1))

        module.register_forward_hook(hook)

    network = copy.deepcopy(network).double()
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            watch(name, module)
    _logits(network, images.double())
    return sums


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return copy.deepcopy(network).eval()(images)


def _silenced(tensor: Tensor, dims: Mapping[int, np.ndarray]) -> Tensor:
    tensor = tensor.clone()
    for dim, indices in dims.items():
        if dim == tensor.ndim == 1:
            tensor[~torch.isin(tensor, torch.from_numpy(indices).to(tensor.device))] = -1
        else:
            gone = np.setdiff1d(np.arange(tensor.shape[dim]), indices)
            rows = torch.from_numpy(gone).to(tensor.device)
            tensor.index_fill_(dim, rows, -1 if not tensor.is_floating_point() else 0)
    return tensor
