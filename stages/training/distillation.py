"""Learning from a teacher's logits beside the labels (Hinton et al. 2015)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Teacher:
    """A trained network that a run learns from, on the images that it trains on.

    The loss is (1 - w) * task loss + w * KL(teacher || student), of logits divided by T, the mean
    over the batch. `squared` multiplies the divergence by T^2, so that its gradient does not shrink
    as T grows: SparseML's and ModelOpt's reading. ICE-Pruning leaves that out, and
    adds both losses with weight 1: twice the loss of w = 0.5, which under SGD is twice the learning
    rate, but for weight decay.
    """

    network: nn.Module
    weight: float
    temperature: float
    squared: bool = True

    def __post_init__(self) -> None:
        """Put the network in evaluation mode, in which it stays."""
        self.network.eval().requires_grad_(False)

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """Return the teacher's logits [B, K] of normalised images."""
        output: Tensor = self.network(images)
        return output

    def loss(self, task: Tensor, student: Tensor, teacher: Tensor) -> Tensor:
        """Return the whole loss from the task's and both networks' logits [B, K], float32."""
        own, told = (F.log_softmax(x / self.temperature, dim=1) for x in (student, teacher))
        divergence = F.kl_div(own, told, reduction="batchmean", log_target=True)
        scale = self.temperature**2 if self.squared else 1.0
        return (1 - self.weight) * task + self.weight * scale * divergence
