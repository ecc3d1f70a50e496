"""Sharpness-aware minimisation: the gradient where the loss is worst nearby (Foret et al. 2021)."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from stages.training.optimizer import Optimizer

SMALLEST = 1e-12
"""Added to the norm of a gradient, which may be 0."""


@contextmanager
def worst_nearby(network: nn.Module, optimizer: Optimizer, rho: float) -> Iterator[None]:
    """Move the weights by rho * g / ||g|| along their gradient g for the block, then back.

    The norm is that of all trained parameters together (equation 2); pruned weights, whose gradient
    is masked, stay zero. The block's own gradient replaces g. BatchNorm's running statistics stand
    still in it: each image counts once.
    """
    gradients = optimizer.gradients()
    before = [parameter.detach().clone() for parameter in optimizer.parameters]
    with torch.no_grad():
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        move = torch._foreach_mul(gradients, rho / (norm + SMALLEST))
        torch._foreach_add_(optimizer.parameters, move)
    for parameter in optimizer.parameters:
        parameter.grad = None
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    tracked = [layer.track_running_stats for layer in layers]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer, was in zip(layers, tracked, strict=True):
            layer.track_running_stats = was
        with torch.no_grad():
            torch._foreach_copy_(optimizer.parameters, before)
