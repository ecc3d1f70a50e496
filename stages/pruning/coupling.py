"""From one dependency group of Torch-Pruning to a Group of ours."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch_pruning as tp
from torch import nn

from stages.pruning.channels import Group, Member

OP = tp.ops.OPTYPE
# fmt: off
CHANNELWISE = {
    "Relu", "Hardtanh", "Hardswish", "Hardsigmoid", "Sigmoid", "Silu", "Gelu", "LeakyRelu",
    "Elu", "Tanh", "Mish", "Softplus", "Clamp", "Abs", "Pow", "Sqrt", "Exp", "Clone", "Celu",
    "Neg", "Rsub", "NativeDropout", "MaxPool2DWithIndices", "AvgPool2D", "AdaptiveAvgPool2D",
    "AdaptiveMaxPool2D", "UpsampleNearest2D", "UpsampleBilinear2D", "ReflectionPad2D",
    "ReplicationPad2D",
}
# fmt: on
SUMS = {"Add", "Sub", "Maximum", "Minimum"}
GATES = {"Mul", "Div"}
POOLS = {"Mean", "Sum"}
RANKS = {"Squeeze", "Unsqueeze"}
LAYERS = (nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d)


class Unprunable(Exception):
    """A group passes something that cannot be cut or does not keep channels apart."""


class ShortcutConv(nn.Conv2d):
    """Stands in for a ChannelShortcut: its outputs and its inputs leave independently."""


class TiedConv(nn.Conv2d):
    """Stands in for a grouped convolution: its outputs and its inputs leave together."""


def group_of(name: str, items: Any, names: Mapping[nn.Module, str]) -> tuple[Group, bool]:
    """Return the group and whether it is certain; where it is not, only a trial can tell.

    `items` are Torch-Pruning's, for all outputs of the convolution `name`; `names` are the modules
    that may be cut. Raises Unprunable.
    """
    passed = [_pass(item.dep.target, item) for item in items]
    units, width = _units(items)
    members = tuple(member for item in items for member in _members(item, names, units))
    coupled = any(joins for joins, _ in passed) or _forks(items)
    return Group(name, width, members, coupled), all(certain for _, certain in passed)


def _forks(items: Any) -> bool:
    """Say whether more layers read the channels than make them; a gate in between does both."""
    layers = [(item, item.dep.target.module) for item in items]
    readers = {m for item, m in layers if reads(item)}
    makers = {m for item, m in layers if not reads(item) and isinstance(m, nn.Conv2d | nn.Linear)}
    return len(readers) > sum(not (isinstance(m, nn.Conv2d) and _ties(m)) for m in makers)


def _pass(node: Any, item: Any) -> tuple[bool, bool]:
    """Say whether a node joins the group with another layer's output, and whether that is safe."""
    if isinstance(node.module, LAYERS):
        if not node.outputs and not reads(item):
            raise Unprunable
        return False, True
    if node.type == OP.PRELU and node.module.num_parameters == 1:
        return False, True
    if node.type == OP.CONCAT and node.grad_fn._saved_dim == 1:
        return True, _traced(node)
    if node.type in (OP.RESHAPE, OP.EXPAND):
        return False, False
    if node.type == OP.SLICE and node.module.dim in (2, 3):
        return False, True
    if node.type == OP.ELEMENTWISE and hasattr(node.grad_fn, "name"):
        return _pass_operation(node)
    raise Unprunable


def _pass_operation(node: Any) -> tuple[bool, bool]:
    operation = node.grad_fn.name().partition("Backward")[0]
    if operation in CHANNELWISE or (operation == "T" and not node.inputs):
        return False, True
    if operation in SUMS:
        return len(node.inputs) > 1, _traced(node)
    if operation in GATES:
        return False, _traced(node)
    if operation in POOLS and _spatial(node.grad_fn):
        return False, True
    if operation in RANKS and _spatial(node.grad_fn):
        return False, False
    if operation == "ConstantPadNd" and not any(node.grad_fn._saved_pad[4:]):
        return False, True
    raise Unprunable


def _traced(node: Any) -> bool:
    return all(function is not None for function, _ in node.grad_fn.next_functions)


def _spatial(function: Any) -> bool:
    """Say whether an operation works on dims behind the channels only."""
    saved = getattr(function, "_saved_dim", ())
    rank = len(getattr(function, "_saved_self_sym_sizes", ()))
    dims = saved if isinstance(saved, tuple) else (saved,)
    return bool(dims) and all(_positive(dim, rank) > 1 for dim in dims)


def _positive(dim: int, rank: int) -> int:
    """Return a saved dim counted from the front; autograd saves -1 as 2^64 - 1."""
    return dim - 2**64 + rank if dim >= 2**63 and rank else dim


def reads(item: Any) -> bool:
    """Say whether an item removes a layer's inputs (True) or its outputs."""
    return item.dep.handler.__name__ == "prune_in_channels"


def _units(items: Any) -> tuple[np.ndarray, int]:
    """Return each root channel's unit: itself, or its group of the grouped convolutions passed."""
    roots = np.arange(len(items[0].idxs))
    labels = [
        _labels(item, len(roots)) for item in items if isinstance(item.dep.target.module, TiedConv)
    ]
    if any((other != labels[0]).any() for other in labels):
        raise Unprunable
    units = labels[0] if labels else roots
    return units, int(units.max()) + 1


def _labels(item: Any, channels: int) -> np.ndarray:
    conv = item.dep.target.module
    labels = np.full(channels, -1)
    labels[item.root_idxs] = np.asarray(item.idxs) // (conv.out_channels // conv.groups)
    if len(item.idxs) != conv.out_channels or (labels < 0).any():
        raise Unprunable
    return labels


def _members(item: Any, names: Mapping[nn.Module, str], units: np.ndarray) -> Iterator[Member]:
    """Translate one item into the dims of the module's tensors."""
    module = item.dep.target.module
    if not isinstance(module, LAYERS):
        return
    if module not in names:
        raise Unprunable
    for leaf, dim, size in _dims(module, reads(item)):
        positions = np.asarray(item.idxs)
        if len(positions) and positions.max() >= size:
            raise Unprunable
        yield Member(
            names[module],
            f"{names[module]}.{leaf}",
            dim,
            size,
            positions,
            units[np.asarray(item.root_idxs)],
        )


def _dims(module: nn.Module, reads: bool) -> Iterator[tuple[str, int, int]]:
    """Yield leaf, dim and size of whatever holds a module's outputs, or the inputs it reads."""
    if isinstance(module, ShortcutConv):
        yield "source", int(reads), module.in_channels if reads else module.out_channels
        return
    if isinstance(module, nn.Conv2d) and module.groups > 1 and (reads or not _ties(module)):
        raise Unprunable
    for leaf, tensor in module.state_dict().items():
        if reads and leaf == "weight":
            yield leaf, 1, tensor.shape[1]
        elif not reads and tensor.ndim:
            yield leaf, 0, tensor.shape[0]


def _ties(conv: nn.Conv2d) -> bool:
    return isinstance(conv, TiedConv) or conv.groups == conv.in_channels == conv.out_channels
