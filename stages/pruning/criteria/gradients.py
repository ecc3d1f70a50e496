"""First-order terms: each parameter times the gradient of the loss."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from stages.pipeline.fault import Fault
from stages.pruning.criteria.types import Batches

if TYPE_CHECKING:
    from torch import Tensor, nn


def products(
    model: nn.Module, batches: Batches, reduction: Literal["mean", "sum"] = "mean"
) -> Iterator[dict[str, Tensor]]:
    """Yield for each batch every parameter times its gradient, by parameter name.

    The loss is the cross-entropy, averaged or summed over the batch. The network runs in
    evaluation mode and is left as it is. Raises a Fault without batches.
    """
    import torch
    from torch.nn.functional import cross_entropy

    if not batches:
        raise Fault("criterion: gradients need at least one batch of images")
    copied = copy.deepcopy(model).eval().requires_grad_(True)
    names, parameters = zip(*copied.named_parameters(), strict=True)
    for images, labels in batches:
        with torch.enable_grad():
            loss = cross_entropy(copied(images), labels, reduction=reduction)
            gradients = torch.autograd.grad(loss, parameters, materialize_grads=True)
        terms = zip(names, parameters, gradients, strict=True)
        yield {name: (parameter * gradient).detach() for name, parameter, gradient in terms}


def averaged(values: Iterator[dict[str, Tensor]], momentum: float | None) -> dict[str, Tensor]:
    """Average named tensors over batches: exponentially from the first on, or plainly if None."""
    average: dict[str, Tensor] = {}
    for count, current in enumerate(values, 1):
        share = 1 / count if momentum is None or count == 1 else 1 - momentum
        for name, value in current.items():
            average[name] = value if count == 1 else average[name].lerp(value, share)
    return average
