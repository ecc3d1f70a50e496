"""What may be a group: every layer or attention that makes units, and what finds its group."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeGuard

from torch import nn

from stages.networks.attention import attentions
from stages.pruning.channels import Group
from stages.pruning.coupling import ShortcutConv, TiedConv, group_of, neurons_of
from stages.pruning.heads import heads_of
from stages.pruning.method import Units
from stages.pruning.passing import ahead, passing_last, reads

Proposal = Callable[[], tuple[Group, bool]]
"""Returns a group, and whether it is certain; raises Unprunable."""


def proposals(
    graph: Any, network: nn.Module, names: Mapping[nn.Module, str], units: Units
) -> Iterator[tuple[str, Proposal]]:
    """Yield the names of what makes such units, kind by kind, each with what finds its group."""
    if "channels" in units:
        yield from _channels(graph, names)
    if "neurons" in units:
        yield from _neurons(graph, names)
    if "heads" in units:
        for name, module in attentions(network):
            yield name, partial(_heads, name, module, graph.module2node, names)


def _channels(graph: Any, names: Mapping[nn.Module, str]) -> Iterator[tuple[str, Proposal]]:
    """Yield the convolutions, but for those whose outputs already came with an earlier one."""
    covered: set[nn.Module] = set()
    for conv in names:
        if not is_root(conv) or conv in covered or conv not in graph.module2node:
            continue
        items = _items(graph, conv)
        covered.update(item.dep.target.module for item in items if not reads(item))
        yield names[conv], partial(group_of, names[conv], items, names)


def _neurons(graph: Any, names: Mapping[nn.Module, str]) -> Iterator[tuple[str, Proposal]]:
    """Yield the linear layers, but for those whose outputs already came with an earlier one."""
    covered: set[nn.Module] = set()

    def propose(layer: nn.Module) -> tuple[Group, bool]:
        for node in ahead(graph.module2node[layer]):
            passing_last(node, reading=False)
        items = _items(graph, layer)
        group = neurons_of(names[layer], items, names)
        covered.update(item.dep.target.module for item in items if not reads(item))
        return group, False

    for layer, name in names.items():
        known = isinstance(layer, nn.Linear) and layer in graph.module2node
        if known and layer not in covered:
            yield name, partial(propose, layer)


def _heads(name: str, module: nn.Module, *graph: Any) -> tuple[Group, bool]:
    return heads_of(name, module, *graph), False


def _items(graph: Any, layer: nn.Module) -> Any:
    """Return what must leave with all outputs of a layer, as Torch-Pruning lists it."""
    pruner = graph.get_pruner_of_module(layer).prune_out_channels
    outputs = list(range(layer.get_parameter("weight").shape[0]))
    with warnings.catch_warnings(action="ignore"):
        return graph.get_pruning_group(layer, pruner, outputs)


def is_root(module: nn.Module) -> TypeGuard[nn.Conv2d]:
    """Say whether a module is a convolution whose filters may leave, as it is no stand-in."""
    stands_in = isinstance(module, ShortcutConv | TiedConv)
    return isinstance(module, nn.Conv2d) and module.groups == 1 and not stands_in
