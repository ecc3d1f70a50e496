"""Stochastic gradient descent whose learning rate and momentum change at every step."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from stages.fault import Fault


class SGD:
    """SGD with momentum, as torch.optim.SGD with dampening 0 (Sutskever 2013, as torch writes it).

    g = gradient + weight_decay * w;  v = momentum * v + g;  w -= lr * (g + momentum * v if
    nesterov else v). Buffers start at 0, which makes the first step torch's v = g. A mask keeps
    pruned weights at zero: their gradients are zeroed, so neither decay nor momentum revives them.
    """

    def __init__(
        self,
        network: nn.Module,
        weight_decay: float,
        nesterov: bool,
        masks: Mapping[str, Tensor] | None = None,
        velocity: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Take a network; `velocity` continues the buffers of another run, by parameter name."""
        named = {name: p for name, p in network.named_parameters() if p.requires_grad}
        self.names = list(named)
        self.parameters: list[Tensor] = list(named.values())
        self.weight_decay, self.nesterov = weight_decay, nesterov
        self.buffers = [torch.zeros_like(p) for p in self.parameters]
        if velocity:
            torch._foreach_copy_(self.buffers, [velocity[name] for name in named])
        self.masked = [self.names.index(name) for name in masks or {}]
        self.masks = [torch.zeros_like(named[name]).copy_(m) for name, m in (masks or {}).items()]
        if self.masks:
            torch._foreach_mul_([self.buffers[i] for i in self.masked], self.masks)

    @torch.no_grad()
    def step(self, lr: float | Tensor, momentum: float | Tensor) -> None:
        """Update the parameters from their gradients, then drop the gradients."""
        gradients = self._gradients()
        if self.masks:
            torch._foreach_mul_([gradients[i] for i in self.masked], self.masks)
        if self.weight_decay:
            torch._foreach_add_(gradients, self.parameters, alpha=self.weight_decay)
        torch._foreach_mul_(self.buffers, momentum)
        torch._foreach_add_(self.buffers, gradients)
        if self.nesterov:
            torch._foreach_add_(gradients, torch._foreach_mul(self.buffers, momentum))
        update = gradients if self.nesterov else self.buffers
        torch._foreach_sub_(self.parameters, torch._foreach_mul(update, lr))
        for parameter in self.parameters:
            parameter.grad = None

    def _gradients(self) -> list[Tensor]:
        gradients = [p.grad for p in self.parameters]
        for name, gradient in zip(self.names, gradients, strict=True):
            if gradient is None:
                raise Fault(f"{name}: the loss does not depend on it; freeze it (requires_grad)")
        return gradients  # type: ignore[return-value]

    def velocity(self) -> dict[str, Tensor]:
        """Return the momentum buffers by parameter name."""
        return dict(zip(self.names, self.buffers, strict=True))
