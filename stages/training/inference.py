"""Forward passes of a network over a whole image set."""

import torch
from torch import Tensor, nn

from stages.data.augment import normalise


@torch.no_grad()
def logits(
    network: nn.Module, images: Tensor, mean: Tensor, std: Tensor, batch_size: int
) -> Tensor:
    """Return the logits [N, K] of uint8 images [N, C, H, W], the network in evaluation mode.

    The images may lie elsewhere than network, `mean` and `std`; the logits lie with these.
    """
    training, device = network.training, mean.device
    network.eval()
    parts = [network(normalise(p.to(device), mean, std)) for p in images.split(batch_size)]
    network.train(training)
    return torch.cat(parts)
