"""Adam with decoupled weight decay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor


def adamw(
    weights: list[Tensor],
    gradients: list[Tensor],
    slots: Mapping[str, list[Tensor]],
    lr: float | Tensor,
    momentum: float | Tensor,
    decayed: Sequence[int],
    *,
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999,
    eps: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1e-8,
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0,
) -> None:
    """AdamW (Loshchilov & Hutter 2019, algorithm 2), as torch.optim.AdamW writes it.

    w -= lr * weight_decay * w;  m = beta1 * m + (1 - beta1) * g;  v = beta2 * v + (1 - beta2) * g^2
    w -= lr / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + eps), at update t = 1, 2, ...
    beta1 is `momentum`, which a curve may cycle, as torch's OneCycleLR does.
    """
    import torch

    first, second, (updates,) = (slots[s] for s in ("first_moment", "second_moment", "updates"))
    updates += 1
    if weight_decay and decayed:
        torch._foreach_mul_([weights[i] for i in decayed], 1 - lr * weight_decay)
    torch._foreach_mul_(first, momentum)
    torch._foreach_add_(first, torch._foreach_mul(gradients, 1 - momentum))
    torch._foreach_mul_(second, beta2)
    torch._foreach_addcmul_(second, gradients, gradients, value=1 - beta2)
    # In float64, as `updates` is: in float32 the first 1 - beta2^t has four right digits.
    size, scale = lr / (1 - momentum**updates), (1 - beta2**updates) ** -0.5
    spread = torch._foreach_sqrt(second)
    torch._foreach_mul_(spread, scale.float())
    torch._foreach_add_(spread, eps)
    update = torch._foreach_div(first, spread)
    torch._foreach_sub_(weights, torch._foreach_mul(update, size.float()))
