"""The losses that `train.recipe.loss` can name.

A loss is `loss(logits, labels, *, its own options) -> mean over the batch`, of float32 logits
[B, K] and int64 labels [B]; it must not wait for the device. A new one is one function and one line
here. They import torch only when they are called, so that params.yaml is checked without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Gt, Lt

if TYPE_CHECKING:
    from torch import Tensor


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of softmax(logits), in nats."""
    import torch.nn.functional as F

    return F.cross_entropy(logits, labels)


def label_smoothing(
    logits: Tensor, labels: Tensor, *, smoothing: Annotated[float, Gt(0), Lt(1)]
) -> Tensor:
    """Cross-entropy with the target (1 - s) * one-hot + s / K (Szegedy et al. 2016, section 7)."""
    import torch.nn.functional as F

    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


LOSSES: dict[str, Callable[..., Any]] = {
    "cross_entropy": cross_entropy,
    "label_smoothing": label_smoothing,
}
