"""Learning from a teacher's logits beside the labels (Hinton et al. 2015)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Teacher:
    """A trained network that a run learns from, on the images that it trains on.

    The loss is v * task loss + w * KL(teacher || student), of logits divided by T, the mean over
    the batch; v, the weight of the `task`, is 1 - w where it is None. `squared` multiplies the
    divergence by T^2, so that its gradient does not shrink as T grows. SparseML has w = 0.5 and
    T = 2, ModelOpt w = 0.5 and T = 1. ICE-Pruning has v = w = 1 and T = 2, without the square.
    """

    network: nn.Module
    weight: float
    temperature: float
    squared: bool = True
    task: float | None = None

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
        own_weight = 1 - self.weight if self.task is None else self.task
        return own_weight * task + self.weight * scale * divergence
