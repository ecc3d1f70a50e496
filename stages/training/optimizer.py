"""The optimizer of a network: an update rule, the parameters that it trains, its slots, the masks.

Our own, because torch's SGD cannot take its momentum from a tensor on the device, where a step that
is captured in a CUDA graph must read it; a number would be the same in every replay.
"""

from collections.abc import Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from stages.pipeline.fault import Fault
from stages.pipeline.options import options_of
from stages.replicates.ranks import average
from stages.training.lora import Adapter
from stages.training.masks import check_fit
from stages.training.optimizers.registry import OPTIMIZERS
from stages.training.settings import Decayed, OptimizerSettings


class Optimizer:
    """An update rule at work on the parameters of a network that are not frozen.

    `slots` are the rule's tensors by name: one like each parameter, in order, or a single count;
    all start at 0. A mask keeps pruned weights at zero: it zeroes their gradients and slots, so
    neither decay nor momentum revives them. A frozen parameter stays as it is, masked or not.
    """

    def __init__(
        self,
        network: nn.Module,
        settings: OptimizerSettings,
        masks: Mapping[str, Tensor] | None = None,
        state: Mapping[str, Tensor] | None = None,
        decayed: Decayed = "all",
        clip: float | None = None,
    ) -> None:
        """Take a network and masks by parameter name; `state` continues another optimizer's.

        `decayed` says what weight decay is for (see `_weights`), `clip` how long a gradient may be.
        """
        every = dict(network.named_parameters())
        named = {name: p for name, p in every.items() if p.requires_grad}
        self.names, self.parameters = list(named), list[Tensor](named.values())
        weights = set(named) if decayed == "all" else _weights(network)
        self.decayed = [i for i, name in enumerate(named) if name in weights]
        self.kind, rule = settings.kind, OPTIMIZERS[settings.kind]
        self.update = partial(rule.update, **options_of(settings, "kind", OptimizerSettings))
        self.counts, self.clip = rule.counts, clip
        self.slots = {slot: [torch.zeros_like(p) for p in self.parameters] for slot in rule.slots}
        device = next(network.parameters()).device
        for name in rule.counts:
            self.slots[name] = [torch.zeros((), dtype=torch.float64, device=device)]
        check_fit(every, masks or {})
        held = {name: mask for name, mask in (masks or {}).items() if name in named}
        self.masked = [self.names.index(name) for name in held]
        self.masks = [torch.zeros_like(named[name]).copy_(mask) for name, mask in held.items()]
        if state is not None:
            self.load(state)

    @torch.no_grad()
    def step(self, lr: float | Tensor, momentum: float | Tensor) -> None:
        """Update the parameters from their gradients, averaged over ranks; drop the gradients.

        With `clip` the gradient, of all of them as one vector, is first shortened to that length
        where it is longer. Pruned and frozen weights have no part in its length.
        """
        gradients = self.gradients()
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.update(self.parameters, gradients, self.slots, lr, momentum, self.decayed)
        for parameter in self.parameters:
            parameter.grad = None

    @torch.no_grad()
    def gradients(self) -> list[Tensor]:
        """Return the gradients of the parameters, averaged over ranks in place, and masked."""
        gradients = self._gradients()
        average(gradients)
        self._mask(gradients)
        return gradients

    def buffers(self) -> list[Tensor]:
        """Return every tensor but the parameters that a step changes."""
        return [tensor for tensors in self.slots.values() for tensor in tensors]

    def state(self) -> dict[str, Tensor]:
        """Return the slots as "slot/parameter" and the counts by their name, not copied."""
        return {
            key: tensor
            for slot, tensors in self.slots.items()
            for key, tensor in zip(self._keys(slot), tensors, strict=True)
        }

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take over a `state()`, masked; a Fault when it is another kind of optimizer's.

        It may hold more parameters than are trained here.
        """
        given = {key.partition("/")[0] for key in state}
        if given != self.slots.keys():
            raise Fault(
                f"params.yaml: train.recipe.optimizer.kind is {self.kind!r}, which keeps "
                f"{_listed(self.slots)}; the state to continue from holds {_listed(given)}"
            )
        for key, tensor in self.state().items():
            if key not in state or state[key].shape != tensor.shape:
                raise Fault(f"{key}: the state to continue from has none of this shape")
            tensor.copy_(state[key])
        for slot in self.slots.keys() - set(self.counts):
            self._mask(self.slots[slot])

    def _keys(self, slot: str) -> list[str]:
        return [slot] if slot in self.counts else [f"{slot}/{name}" for name in self.names]

    def _mask(self, tensors: list[Tensor]) -> None:
        if self.masks:
            torch._foreach_mul_([tensors[i] for i in self.masked], self.masks)

    def _gradients(self) -> list[Tensor]:
        gradients = []
        for name, parameter in zip(self.names, self.parameters, strict=True):
            if parameter.grad is None:
                raise Fault(f"{name}: the loss does not depend on it; freeze it (requires_grad)")
            gradients.append(parameter.grad)
        return gradients


def _weights(network: nn.Module) -> set[str]:
    """Return the names of a network's weights of layers: no biases, scales, positions or tokens.

    Those alone decay in DeiT and timm (`param_groups_weight_decay`). An adapter's factors are
    weights, as the weight is that they stand in for.
    """
    factors = {id(p) for m in network.modules() if isinstance(m, Adapter) for p in m.parameters()}
    return {
        name
        for name, p in network.named_parameters()
        if id(p) in factors or (p.ndim > 1 and name.endswith("weight"))
    }


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
