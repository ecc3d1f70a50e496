"""The heads of an attention as a group: the rows of q, k and v, the columns of the projection.

Which layer is the projection Torch-Pruning's graph says; how many heads there are, the module's
attributes (see `networks.attention`). A trial proves what this reads from them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch import nn

from stages.networks.attention import HEAD_WIDTHS, HEADS, linears, number
from stages.pruning.channels import Group, Member
from stages.pruning.passing import READERS, Unprunable, ahead, attends


def heads_of(
    name: str, attention: nn.Module, nodes: Mapping[nn.Module, Any], names: Mapping[nn.Module, str]
) -> Group:
    """Return the heads of the attention `name`, which only a trial can prove. Raises Unprunable.

    `nodes` are those of Torch-Pruning's graph; `names` are the modules that may be cut. Fused
    layers hold all of q, then all of k and of v, each head by head.
    """
    if isinstance(attention, nn.MultiheadAttention):
        return _torch(name, attention, names)
    makers, projection = _layers(attention, nodes, names)
    count = number(attention, HEADS)
    count = count or projection.in_features // (number(attention, HEAD_WIDTHS) or 1)
    if projection.in_features % count:
        raise Unprunable(f"do not divide the inputs of {names[projection]}")
    width = projection.in_features // count
    members = [_member(names[projection], "weight", 1, projection.in_features, width, count)]
    for maker in makers:
        if maker.out_features % projection.in_features:
            raise Unprunable(f"share the outputs of {names[maker]}, as in grouped-query attention")
        for leaf in maker.state_dict():
            members.append(_member(names[maker], leaf, 0, maker.out_features, width, count))
    return Group(name, count, (*members[1:], members[0], *_own(name, attention, count)), False)


def _layers(
    attention: nn.Module, nodes: Mapping[nn.Module, Any], names: Mapping[nn.Module, str]
) -> tuple[list[nn.Linear], nn.Linear]:
    """Return the layers that make q, k and v, and the one that reads what they are mixed to."""
    layers = linears(attention)
    if any(layer not in nodes for layer in layers):
        raise Unprunable("cannot be cut: it takes the weights of its layers without running them")
    if any(layer not in names for layer in layers):
        raise Unprunable("cannot be cut: a layer of it runs more than once")
    reached = {layer: set(_next(nodes[layer])) for layer in layers}
    attending = [layer for layer in layers if any(map(attends, ahead(nodes[layer])))]
    read = {reader for layer in attending for reader in reached[layer]}
    projections = [layer for layer in layers if layer in read]
    if len(read) != 1 or len(projections) != 1:
        raise Unprunable("cannot be cut: no one layer of it reads what they mix")
    return [layer for layer in layers if reached[layer] == read], projections[0]


def _next(node: Any) -> Iterator[nn.Module]:
    """Yield the layers that read the outputs of a node's layer."""
    for passed in ahead(node):
        yield from (x.module for x in passed.outputs if isinstance(x.module, READERS))


def _torch(name: str, attention: nn.MultiheadAttention, names: Mapping[nn.Module, str]) -> Group:
    """Return the heads of torch's attention, which computes its projections itself."""
    if attention not in names:
        raise Unprunable("cannot be cut: it does not run, or more than once")
    if attention.in_proj_weight is None or attention.bias_k is not None or attention.add_zero_attn:
        raise Unprunable("cannot be cut: its keys or values have a width, or entries, of their own")
    count, width = attention.num_heads, attention.head_dim
    rows = len(attention.in_proj_weight)
    leaves = [leaf for leaf, _ in attention.named_parameters(recurse=False)]
    members = [_member(name, leaf, 0, rows, width, count) for leaf in leaves]
    members.append(_member(f"{name}.out_proj".lstrip("."), "weight", 1, rows // 3, width, count))
    return Group(name, count, tuple(members), False)


def _own(name: str, attention: nn.Module, count: int) -> Iterator[Member]:
    """Yield the parameters of its own that have an entry for each head, as Swin's tables."""
    for leaf, parameter in attention.named_parameters(name, recurse=False):
        dims = [dim for dim, size in enumerate(parameter.shape) if size == count]
        if len(dims) == 1:
            yield Member(name, leaf, dims[0], count, np.arange(count), np.arange(count))


def _member(name: str, leaf: str, dim: int, size: int, width: int, count: int) -> Member:
    positions = np.arange(size)
    return Member(
        name, f"{name}.{leaf}".lstrip("."), dim, size, positions, positions // width % count
    )
