"""Every pruning method tried out on an untrained network, before the dense ones are trained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import nn

from stages.networks.blame import blamed
from stages.pipeline.fault import Fault
from stages.pruning.method import Method
from stages.pruning.prune import prune
from stages.pruning.step import apply

IMAGES = 8


def misfits(
    network: nn.Module,
    methods: Mapping[str, Sequence[Method]],
    code: str,
    shape: Sequence[int],
    classes: int,
) -> Iterator[str]:
    """Yield a line for each method, by its key in params.yaml, that cannot prune the network.

    `methods` are those of every round, each of which prunes what the one before left; `shape` is
    [C, H, W], `code` the network's file. What is refused follows from the network's form alone,
    which training does not change. One step stands for all of a method's iterations, and one round
    for all that mask weights.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(IMAGES, *shape, generator=generator)
    batches = [(images, torch.arange(IMAGES) % classes)]
    for key, rounds in methods.items():
        left, dense = network, None
        try:
            for method in rounds if rounds[0].granularity == "filter" else rounds[:1]:
                once = replace(method, iterations=1)
                with blamed(code, "it cannot be pruned", "see prune.methods"):
                    pruned = prune(left, batches, once, generator, shape, dense=dense)
                left, dense = apply(left, pruned), pruned.dense
        except Fault as fault:
            yield f"{key}: {fault}"
