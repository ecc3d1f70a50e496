"""Forward passes of a network over a whole image set."""

import torch
from torch import Tensor, nn

from stages.images.normalise import normalise
from stages.images.prepared import ImageSet, Prepared


@torch.no_grad()
def logits(
    network: nn.Module, images: Tensor, mean: Tensor, std: Tensor, batch_size: int
) -> Tensor:
    """Return the logits [N, K] of uint8 images [N, C, H, W], the network in evaluation mode.

    The images may be on another device than network, `mean` and `std`; the logits are on theirs.
    """
    training, device = network.training, mean.device
    network.eval()
    parts = [network(normalise(p.to(device), mean, std)) for p in torch.split(images, batch_size)]
    network.train(training)
    return torch.cat(parts)


def accuracy(network: nn.Module, images: ImageSet, data: Prepared, batch_size: int) -> float | None:
    """Return the top-1 accuracy of a network on a part of prepared data; None for an empty part."""
    if not len(images.labels):
        return None
    return top1(logits(network, images.images, data.mean, data.std, batch_size), images.labels)


def top1(logits: Tensor, labels: Tensor) -> float:
    """Return the top-1 accuracy, a fraction, of logits [N, K] against labels int64 [N].

    For the history of a run; saved networks are scored by `evaluation.metrics`.
    """
    return float((logits.argmax(1) == labels).double().mean())
