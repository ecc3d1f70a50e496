"""Accuracy and loss of a whole split at once: averages over images, never over batches."""

import torch.nn.functional as F
from torch import Tensor

from stages.fault import Fault


def top1(logits: Tensor, labels: Tensor) -> float:
    """Fraction of images whose largest logit is their label: logits [N, K], labels int64 [N]."""
    _check(logits, labels)
    return (logits.argmax(1) == labels).double().mean().item()


def cross_entropy(logits: Tensor, labels: Tensor) -> float:
    """Mean cross-entropy in nats, in float64: logits [N, K], labels int64 [N]."""
    _check(logits, labels)
    return F.cross_entropy(logits.double(), labels).item()


def _check(logits: Tensor, labels: Tensor) -> None:
    if not len(labels) or logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise Fault(
            f"logits {list(logits.shape)} and labels {list(labels.shape)}: "
            "they must be [N, classes] and [N] with N of at least 1"
        )
