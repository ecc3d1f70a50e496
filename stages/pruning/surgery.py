"""A pruned network from what is kept of it: really smaller, or as large with silent channels."""

import copy
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from stages.networks.compact import Kept, cut, resize


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
