"""Methods in a line, and networks whose BatchNorms have seen data."""

import numpy as np
import torch
from torch import nn

from stages.pruning.channels import kept
from stages.pruning.method import CHANNELS, Allocation, Method
from stages.pruning.trace import trace


def lived_in(network, seed=0):
    """Give BatchNorm scales, shifts and statistics values as after training."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if not isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                continue
            if module.affine:
                module.weight.uniform_(0.5, 1.5, generator=generator)
                module.bias.normal_(generator=generator)
            if module.track_running_stats:
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
    return network.eval()


def filters(
    kind, criterion="l1", scope="blocks", criterion_options=None, units=CHANNELS, **options
):
    own = criterion_options or {}
    return Method("filter", criterion, Allocation(kind, options), own, scope, units)


def weights(kind, criterion="magnitude", linear=False, iterations=1, **options):
    allocation = Allocation(kind, options)
    return Method("weight", criterion, allocation, linear=linear, iterations=iterations)


def random_batches(shape, sizes=(4, 4), classes=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(size, *shape, generator=generator),
            torch.randint(classes, (size,), generator=generator),
        )
        for size in sizes
    ]


def random_kept(network, shape, scope="all", seed=0, units=CHANNELS):
    """Keep about half of every group's units, drawn at random, at least one."""
    rng = np.random.default_rng(seed)
    groups = [g for g in trace(network, shape, units).groups if scope == "all" or not g.coupled]
    chosen = {g.name: rng.random(g.width) < 0.5 for g in groups}
    for group in groups:
        chosen[group.name][rng.integers(group.width)] = True
    return kept(groups, chosen)
