"""The ranks of feature maps, measured while a network runs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stages.pipeline.fault import Fault
from stages.pruning.criteria.layers import filters
from stages.pruning.criteria.types import Batches, Scores

if TYPE_CHECKING:
    from torch import Tensor, nn

    Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]


def mean_ranks(model: nn.Module, batches: Batches) -> Scores:
    """Return the rank of ReLU(map) averaged over all images, [out_channels] by convolution.

    The map is what the BatchNorm makes of the convolution's output, where one reads just that.
    Raises a Fault without batches.
    """
    import torch

    if not batches:
        raise Fault("criterion: feature maps need at least one batch of images")
    copied = copy.deepcopy(model).eval()
    totals: Scores = {}

    def measure(name: str) -> Hook:
        def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            ranks = torch.linalg.matrix_rank(output.relu()).sum(0)
            totals[name] = totals.get(name, torch.zeros_like(ranks)) + ranks

        return add

    with torch.no_grad():
        ends = _ends(copied, batches[0][0][:1])
        with _hooked({copied.get_submodule(ends[name]): measure(name) for name in ends}):
            for images, _ in batches:
                copied(images)
    count = sum(len(images) for images, _ in batches)
    return {name: total / count for name, total in totals.items()}


def _ends(network: nn.Module, image: Tensor) -> dict[str, str]:
    """Return for each convolution the BatchNorm that reads its very output, else itself."""
    from torch import nn

    ends = {name: name for name in filters(network)}
    outputs: dict[str, Tensor] = {}

    def note(name: str) -> Hook:
        def pair(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(module, nn.Conv2d):
                outputs[name] = output
            elif isinstance(module, nn.BatchNorm2d):
                ends.update({conv: name for conv, made in outputs.items() if made is inputs[0]})

        return pair

    with _hooked({module: note(name) for name, module in network.named_modules()}):
        network(image)
    return {name: end for name, end in ends.items() if name in outputs}


@contextmanager
def _hooked(hooks: Mapping[nn.Module, Hook]) -> Iterator[None]:
    handles = [module.register_forward_hook(hook) for module, hook in hooks.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
