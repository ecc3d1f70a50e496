"""The groups of units of any network, traced by Torch-Pruning's dependency graph."""

import copy
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch_pruning.pruner.function import DepthwiseConvPruner

from stages.networks.building import seeded
from stages.networks.layers import ChannelShortcut
from stages.pipeline.fault import Fault
from stages.pruning.channels import Group, kept
from stages.pruning.checks import check_equivalence, line
from stages.pruning.coupling import ShortcutConv, TiedConv
from stages.pruning.method import CHANNELS, Units
from stages.pruning.passing import OP, Unprunable
from stages.pruning.proposals import is_root, proposals
from stages.pruning.surgery import compact_form, masked_form


@dataclass(frozen=True)
class Trace:
    """What can be pruned.

    Groups in module order; why the units of other layers cannot be cut, by the layer's name; the
    output positions per channel of each layer.
    """

    groups: tuple[Group, ...]
    refused: dict[str, str]
    positions: dict[str, int]


class LazyShortcut(nn.LazyConv2d):
    """A 1x1 convolution that learns its input channels from its first input."""

    cls_to_become = ShortcutConv


def trace(network: nn.Module, input_shape: Sequence[int], units: Units = CHANNELS) -> Trace:
    """Find all prunable groups of such units of a network, which is left as it is.

    `input_shape` is [C, H, W]. Channels that reach the network's output, that pass a layer or an
    operation of a kind unknown here, or that a fixed reshape pins down belong to no group: they
    are never pruned. Every group of neurons or heads is tried before it counts. Raises a Fault for
    a network that Torch-Pruning cannot follow.
    """
    dense = copy.deepcopy(network).cpu().float().eval().requires_grad_(True)
    images = sample(input_shape)
    with seeded(0):
        stand_in = _stand_in(dense)
        calls, positions = _record(stand_in, images)
    names = {module: name for name, module in stand_in.named_modules() if calls[module] == 1}
    found, refused = {}, {}
    for name, propose in proposals(_graph(stand_in, images, names), stand_in, names, units):
        try:
            found[name] = propose()
        except Unprunable as reason:
            refused[name] = f"{reason}"
    refused |= _failures(dense, [group for group, certain in found.values() if not certain], images)
    order = [name for name, _ in stand_in.named_modules()]
    groups = [found[name][0] for name in order if name in found and name not in refused]
    return Trace(
        tuple(groups), {name: refused[name] for name in order if name in refused}, positions
    )


def sample(input_shape: Sequence[int]) -> Tensor:
    """Return two random images, always the same, to run a network on: float [2, C, H, W]."""
    return torch.randn(2, *input_shape, generator=torch.Generator().manual_seed(0))


def _stand_in(dense: nn.Module) -> nn.Module:
    """Return a copy that Torch-Pruning can follow: shortcuts are 1x1 convolutions in it."""
    stand_in = copy.deepcopy(dense)
    for name, module in list(stand_in.named_modules()):
        if isinstance(module, ChannelShortcut):
            conv = LazyShortcut(len(module.source), 1, module.stride, bias=False)
            stand_in.set_submodule(name, conv)
        elif isinstance(module, nn.Conv2d) and 1 < module.groups < module.out_channels:
            module.__class__ = TiedConv
    return stand_in


def _record(network: nn.Module, images: Tensor) -> tuple[Counter[nn.Module], dict[str, int]]:
    """Count each layer's calls, and the positions (height x width) of each output channel."""
    calls: Counter[nn.Module] = Counter()
    positions: dict[str, int] = {}

    def note(name: str, module: nn.Module, output: Any) -> None:
        calls[module] += 1
        output = output[0] if isinstance(module, nn.MultiheadAttention) else output
        layer = module.out_proj if isinstance(module, nn.MultiheadAttention) else module
        if isinstance(output, Tensor) and isinstance(layer, nn.Conv2d | nn.Linear):
            channels = layer.weight.shape[0]
            seen = output.numel() // (len(images) * channels)
            positions[name] = positions.get(name, 0) + seen

    hooks = [
        module.register_forward_hook(
            lambda module, _, output, name=name: note(name, module, output)
        )
        for name, module in network.named_modules()
    ]
    try:
        with torch.enable_grad():  # without it torch's encoder layers run none of their layers
            network(images)
    except Exception as error:
        raise Fault(
            f"prune: the network cannot run on images {list(images.shape[1:])}: {error}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return calls, positions


def _graph(network: nn.Module, images: Tensor, names: Mapping[nn.Module, str]) -> Any:
    graph = tp.DependencyGraph()
    pruners = {TiedConv: DepthwiseConvPruner()}
    try:
        with torch.enable_grad(), warnings.catch_warnings(action="ignore"):
            return graph.build_dependency(
                network, (images,), customized_pruners=pruners, verbose=False
            )
    except Exception as error:
        reason = _reshaped(getattr(graph, "module2node", {}), names) or repr(error)
        raise Fault(f"prune: Torch-Pruning cannot follow the network: {reason}") from error


def _reshaped(nodes: Mapping[nn.Module, Any], names: Mapping[nn.Module, str]) -> str | None:
    """Name the first convolution whose channels are regrouped before another layer reads them."""
    for conv in names:
        waiting = [*nodes[conv].outputs] if is_root(conv) and conv in nodes else []
        while waiting:
            node = waiting.pop()
            if node.type == OP.RESHAPE and OP.LINEAR not in {x.type for x in node.outputs}:
                return f"the channels of {names[conv]} pass a reshape, which cannot be cut"
            if not isinstance(node.module, nn.Conv2d | nn.Linear):
                waiting += node.outputs
    return None


def _failures(dense: nn.Module, groups: Sequence[Group], images: Tensor) -> dict[str, str]:
    """Try all groups at once, and where that fails one by one; return why each fails, by name."""
    reason = _trial(dense, groups, images) if groups else None
    if reason is None:
        return {}
    if len(groups) == 1:
        return {groups[0].name: reason}
    alone = (_failures(dense, [group], images) for group in groups)
    return {name: why for failures in alone for name, why in failures.items()}


def _trial(dense: nn.Module, groups: Sequence[Group], images: Tensor) -> str | None:
    """Remove units and compare with silencing them, twice; return what is wrong, or None.

    They are drawn at random, another number of each group: removing every other one would suit
    layers that take the halves of what they read.
    """
    try:
        for seed in range(2):
            rng = np.random.default_rng(seed)
            chosen = {g.name: _some(g.width, rng) for g in groups}
            left, network = kept(groups, chosen), _lively(dense, seed)
            check_equivalence(masked_form(network, left), compact_form(network, left), images)
    except Exception as error:
        return f"do not survive a trial ({line(error)})"
    return None


def _some(width: int, rng: np.random.Generator) -> np.ndarray:
    """Choose one unit or more, but not all where there are two or more."""
    chosen: np.ndarray = rng.permutation(width) < rng.integers(1, max(width, 2))
    return chosen


def _lively(network: nn.Module, seed: int) -> nn.Module:
    """Return a copy whose weights, and statistics of BatchNorm, are drawn at random.

    What starts at 0 or near it, as the scale of a residual branch may, would hide what is wrong
    until training moves it.
    """
    network, generator = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    statistics = {n: b for n, b in network.named_buffers() if "running_" in n}
    with torch.no_grad():
        for tensor in (dict(network.named_parameters()) | statistics).values():
            if tensor.ndim > 1:
                tensor.normal_(0, (2 * len(tensor) / tensor.numel()) ** 0.5, generator=generator)
            else:
                tensor.uniform_(0.5, 1, generator=generator)
    return network
