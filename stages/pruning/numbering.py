"""Where a prunable layer stands: its PFEC index and its stage."""

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from stages.pruning.allocation.layer import Layer
from stages.pruning.channels import Group
from stages.pruning.trace import Trace


def layers(network: nn.Module, found: Trace, groups: Sequence[Group]) -> list[Layer]:
    """Describe the groups that are to be pruned, in module order.

    A stage is a run of layers whose blocks end in the same number of channels at the same
    resolution; where nothing is coupled, as in VGG, a run of the same resolution.
    """
    index = pfec_indices(network)
    places = [_place(group, network, found) for group in groups]
    stages = [0]
    for before, place in pairwise(places):
        stages.append(stages[-1] + (place != before))
    return [
        Layer(group.name, group.width, index.get(group.name), stage)
        for group, stage in zip(groups, stages, strict=True)
    ]


def pfec_indices(network: nn.Module) -> dict[str, int]:
    """Number convolutions from 1, in module order: the first, and all whose kernel exceeds 1x1."""
    convs = [(n, module) for n, module in network.named_modules() if isinstance(module, nn.Conv2d)]
    counted = [n for i, (n, conv) in enumerate(convs) if i == 0 or max(conv.kernel_size) > 1]
    return {name: number for number, name in enumerate(counted, 1)}


def _place(group: Group, network: nn.Module, found: Trace) -> tuple[int, int]:
    """Return channels and positions where the block ends, or 0 and the layer's own positions."""
    order = {name: number for number, name in enumerate(found.positions)}  # as they run
    makers = {member.module: g for g in found.groups for member in g.members if member.dim == 0}
    name, current = group.name, group
    while not current.coupled:
        readers = [member.module for member in current.members if member.dim == 1]
        name = max(readers, key=lambda reader: order.get(reader, -1))
        if name not in makers:
            break
        current = makers.pop(name)
    end = network.get_submodule(name)
    if isinstance(end, nn.Conv2d):
        return end.out_channels, found.positions[name]
    return 0, found.positions[group.members[0].module]
