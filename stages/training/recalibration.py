"""Re-estimated BatchNorm statistics: pruning alone spoils them, retraining mends them anyway."""

import copy

import torch
from torch import nn

from stages.images.normalise import normalise
from stages.images.prepared import Prepared


@torch.no_grad()
def recalibrated(network: nn.Module, data: Prepared, batch_size: int) -> nn.Module:
    """Return a copy whose BatchNorm layers hold the mean statistics of the training images.

    Images are not augmented; batches weigh the same, the short last one is dropped. The copy is in
    evaluation mode. Through a network without BatchNorm no image passes.
    """
    network = copy.deepcopy(network).eval()
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not layers:
        return network
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
        layer.train()
    images = data.train.images
    batch_size = min(batch_size, len(images))
    whole = images[: len(images) // batch_size * batch_size]
    for part in torch.split(whole, batch_size):
        network(normalise(part.to(data.mean.device), data.mean, data.std))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return network.eval()
