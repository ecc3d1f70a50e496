"""Variance matching: each channel of a pruned network varies as that of the dense one does."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.images.normalise import normalise
from stages.images.prepared import Prepared
from stages.networks.compact import Kept
from stages.training.recalibration import recalibrated

KINDS = nn.Linear | nn.modules.conv._ConvNd
LEAST = 1e-4
"""The part of its variance below which a channel is left as it is, so no scale is above 100.

What is left of such a channel on a batch is a rest that a few inputs give: scaled up to the
variance of the dense one, some hundred or thousand times, it can ruin the network for others.
"""


@torch.no_grad()
def matched(
    network: nn.Module,
    dense: nn.Module,
    kept: Kept,
    head: nn.Module | None,
    data: Prepared,
    batch_size: int,
) -> nn.Module:
    """Return a network, changed in place, whose channels have the variances of the dense network's.

    Layer by layer, in the order in which they run, the weights of a linear layer or convolution are
    multiplied, channel by channel, so that its output on a batch of training images varies as it
    does in the dense network (as REFLOW and ASR do, arXiv 2502.15790 and 2605.21426; here by the
    definition alone). Biases stay. Left as they are: channels that hardly vary (see LEAST), the
    `head`, the projections of attentions, which do not run as layers, and layers that BatchNorm
    alone reads, which gives its channels the variance of its scales; its statistics are
    re-estimated at the end.
    So a network with BatchNorm behind every layer is `recalibrated`, and no more. `kept`
    [layer.weight, 0] are the channels of a smaller network.
    """
    images = _evenly(data.train.images, batch_size).to(data.mean.device)
    images = normalise(images, data.mean, data.std)
    normalised = read_by_batchnorm(network, images[:2])
    names = [
        name
        for name, layer in network.named_modules()
        if isinstance(layer, KINDS) and layer is not head and name not in normalised
    ]
    found: dict[str, Tensor] = {}
    with _hooked(dense, {name: partial(_note, found, name) for name in names}):
        dense.eval()(images)
    wanted = {name: _chosen(found[name], kept.get(f"{name}.weight", {})) for name in found}
    with _by_batch(network), _hooked(network, {n: partial(_match, wanted[n]) for n in wanted}):
        network(images)
    return recalibrated(network, data, batch_size)


def read_by_batchnorm(network: nn.Module, images: Tensor) -> set[str]:
    """Return the layers whose output goes into BatchNorm and nowhere else, for these images."""
    made: dict[str, Any] = {}
    layers = [name for name, layer in network.named_modules() if isinstance(layer, KINDS)]
    with torch.enable_grad(), _hooked(network, {n: partial(_origin, made, n) for n in layers}):
        output = network.eval()(images.clone().requires_grad_())
    readers: dict[Any, list[str]] = {}
    waiting, seen = [output.grad_fn], {output.grad_fn}
    while waiting:
        node = waiting.pop()
        for source, _ in node.next_functions:
            readers.setdefault(source, []).append(node.name())
            if source is not None and source not in seen:
                seen.add(source)
                waiting.append(source)
    return {
        name
        for name, node in made.items()
        if node in readers and all("BatchNorm" in reader for reader in readers[node])
    }


def _note(
    found: dict[str, Tensor], name: str, layer: nn.Module, args: Any, named: Any, out: Tensor
) -> None:
    found.setdefault(name, _variance(layer, out))


def _origin(
    made: dict[str, Any], name: str, layer: nn.Module, args: Any, named: Any, out: Tensor
) -> None:
    made.setdefault(name, out.grad_fn)


def _match(wanted: Tensor, layer: nn.Module, args: Any, named: Any, out: Tensor) -> Tensor:
    """Scale the weights of a layer; return what it then gives."""
    found, weight = _variance(layer, out), layer.get_parameter("weight")
    ratio = torch.where(found > LEAST * wanted, wanted / found, 1.0).sqrt()
    weight.mul_(ratio.view(-1, *[1] * (weight.ndim - 1)))
    again: Tensor = layer.forward(*args, **named)
    return again


def _variance(layer: nn.Module, out: Tensor) -> Tensor:
    """Return the variance of each output channel [channels] over images and places."""
    channels = out.ndim - 1 if isinstance(layer, nn.Linear) else 1
    others = [dim for dim in range(out.ndim) if dim != channels]
    return out.var(others, correction=0)


def _chosen(variances: Tensor, kept: Mapping[int, np.ndarray]) -> Tensor:
    return variances[torch.from_numpy(kept[0])] if 0 in kept else variances


def _evenly(images: Tensor, count: int) -> Tensor:
    """Return so many images from all over a set, or all."""
    return images[:: max(1, len(images) // count)][:count]


@contextmanager
def _hooked(network: nn.Module, hooks: Mapping[str, Any]) -> Iterator[None]:
    """Call hooks after the first forward pass of the layers of these names."""
    handles: dict[str, Any] = {}

    def once(name: str, *args: Any) -> Any:
        handles[name].remove()
        return hooks[name](*args)

    for name in hooks:
        layer = network.get_submodule(name)
        handles[name] = layer.register_forward_hook(partial(once, name), with_kwargs=True)
    try:
        yield
    finally:
        for handle in handles.values():
            handle.remove()


@contextmanager
def _by_batch(network: nn.Module) -> Iterator[None]:
    """Let BatchNorm take the statistics of the batch, and nothing else be as in training."""
    network.eval()
    for layer in network.modules():
        layer.train(isinstance(layer, nn.modules.batchnorm._BatchNorm))
    yield
    network.eval()
