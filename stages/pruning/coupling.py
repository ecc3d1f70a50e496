"""From one dependency group of Torch-Pruning to a Group of ours."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import nn

from stages.pruning.channels import Group, Member
from stages.pruning.passing import Unprunable, is_cuttable, passing, passing_last, reads


class ShortcutConv(nn.Conv2d):
    """Stands in for a ChannelShortcut: its outputs and its inputs leave independently."""


class TiedConv(nn.Conv2d):
    """Stands in for a grouped convolution: its outputs and its inputs leave together."""


def group_of(name: str, items: Any, names: Mapping[nn.Module, str]) -> tuple[Group, bool]:
    """Return the group and whether it is certain; where it is not, only a trial can tell.

    `items` are Torch-Pruning's, for all outputs of the convolution `name`; `names` are the modules
    that may be cut. Raises Unprunable.
    """
    norms_first = sorted(items, key=lambda x: not isinstance(x.dep.target.module, nn.LayerNorm))
    passed = [passing(item.dep.target, reads(item)) for item in norms_first]
    units, width = _units(items)
    members = tuple(member for item in items for member in _members(item, names, units))
    coupled = any(joins for joins, _ in passed) or _forks(items)
    return Group(name, width, members, coupled), all(certain for _, certain in passed)


def neurons_of(name: str, items: Any, names: Mapping[nn.Module, str]) -> Group:
    """Return the group of all outputs of the linear layer `name`, which only a trial can prove.

    Raises Unprunable.
    """
    passed = [passing_last(item.dep.target, reads(item)) for item in items]
    makers = [item.dep.target.module for item in items if not reads(item)]
    if any(isinstance(module, nn.Conv2d) for module in makers):
        raise Unprunable("are channels of a convolution too")
    members = tuple(
        m for item in items for m in _members(item, names, np.arange(len(items[0].idxs)))
    )
    coupled = any(joins for joins, _ in passed) or _forks(items)
    return Group(name, len(items[0].idxs), members, coupled)


def _forks(items: Any) -> bool:
    """Say whether more layers read the channels than make them; a gate in between does both."""
    layers = [(item, item.dep.target.module) for item in items]
    readers = {m for item, m in layers if reads(item)}
    makers = {m for item, m in layers if not reads(item) and isinstance(m, nn.Conv2d | nn.Linear)}
    return len(readers) > sum(not (isinstance(m, nn.Conv2d) and _ties(m)) for m in makers)


def _units(items: Any) -> tuple[np.ndarray, int]:
    """Return each root channel's unit: itself, or its group of the grouped convolutions passed."""
    roots = np.arange(len(items[0].idxs))
    labels = [
        _labels(item, len(roots)) for item in items if isinstance(item.dep.target.module, TiedConv)
    ]
    if any((other != labels[0]).any() for other in labels):
        raise Unprunable("pass grouped convolutions whose groups do not agree")
    units = labels[0] if labels else roots
    return units, int(units.max()) + 1


def _labels(item: Any, channels: int) -> np.ndarray:
    conv = item.dep.target.module
    labels = np.full(channels, -1)
    labels[item.root_idxs] = np.asarray(item.idxs) // (conv.out_channels // conv.groups)
    if len(item.idxs) != conv.out_channels or (labels < 0).any():
        raise Unprunable("are only some of those that a grouped convolution reads")
    return labels


def _members(item: Any, names: Mapping[nn.Module, str], units: np.ndarray) -> Iterator[Member]:
    """Translate one item into the dims of the module's tensors."""
    module = item.dep.target.module
    if not is_cuttable(module):
        return
    if module not in names:
        raise Unprunable(f"pass a {type(module).__name__} that runs more than once")
    for leaf, dim, size in _dims(module, reads(item)):
        positions = np.asarray(item.idxs)
        if len(positions) and positions.max() >= size:
            raise Unprunable(f"do not line up with those of {names[module]}")
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
        raise Unprunable("pass a grouped convolution that mixes them")
    for leaf, tensor in module.state_dict().items():
        if reads and leaf == "weight":
            yield leaf, 1, tensor.shape[1]
        elif not reads and tensor.ndim:
            yield leaf, 0, tensor.shape[0]


def _ties(conv: nn.Conv2d) -> bool:
    return isinstance(conv, TiedConv) or conv.groups == conv.in_channels == conv.out_channels
