"""Stochastic gradient descent with momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor


def sgd(
    weights: list[Tensor],
    gradients: list[Tensor],
    slots: Mapping[str, list[Tensor]],
    lr: float | Tensor,
    momentum: float | Tensor,
    decayed: Sequence[int],
    *,
    nesterov: bool = False,
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0,
) -> None:
    """SGD with momentum, as torch.optim.SGD with dampening 0 (Sutskever 2013, as torch writes it).

    g = gradient + weight_decay * w;  v = momentum * v + g;  w -= lr * (g + momentum * v if
    nesterov else v). Velocities start at 0, which makes the first step torch's v = g.
    """
    import torch

    velocity = slots["velocity"]
    if weight_decay and decayed:
        large = [weights[i] for i in decayed]
        torch._foreach_add_([gradients[i] for i in decayed], large, alpha=weight_decay)
    torch._foreach_mul_(velocity, momentum)
    torch._foreach_add_(velocity, gradients)
    if nesterov:
        torch._foreach_add_(gradients, torch._foreach_mul(velocity, momentum))
    update = gradients if nesterov else velocity
    torch._foreach_sub_(weights, torch._foreach_mul(update, lr))
