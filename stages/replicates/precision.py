"""The layout of numbers in memory, and how many bits the training step gives them."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from stages.replicates.settings import Compute


def memory_format(compute: Compute) -> torch.memory_format:
    """Return the layout of weights and activations."""
    return torch.channels_last if compute.channels_last else torch.contiguous_format


def placed(network: nn.Module, device: torch.device, compute: Compute) -> nn.Module:
    """Move a network to the device, in the layout that the settings ask for; return it."""
    return network.to(device).to(memory_format=memory_format(compute))


def autocast(device: torch.device, compute: Compute) -> AbstractContextManager[object]:
    """Return the context of a forward pass: bfloat16 where torch deems it safe, or float32.

    Every pass casts the weights again; a cache of casts would outlive a captured step.
    """
    if compute.precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
