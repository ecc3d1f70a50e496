"""The networks of a study before anything is trained: the dense one, and what pruning leaves."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from stages.data.described import described, form_of
from stages.data.sources.registry import SOURCES
from stages.networks.building import Spec, build
from stages.pipeline.fault import Fault
from stages.pruning.method import Method
from stages.pruning.prune import prune, widths_without_data
from stages.pruning.settings import Entry, Iterative
from stages.pruning.step import apply
from stages.study.settings import Study


def dense_network(study: Study, description: Path) -> tuple[nn.Module, tuple[int, int, int]]:
    """Return the network of a study and the shape of its images [C, H, W].

    `description` is the file that describes the prepared images, for sources of any form.
    """
    form = SOURCES[study.data.source].form or form_of(described(study.data, description))
    model = study.model
    spec = Spec(model.code, model.factory, model.options, form.classes, form.channels)
    return build(spec, study.seed), form[:3]


def pruned_networks(network: nn.Module, entry: Entry, shape: Sequence[int]) -> list[nn.Module]:
    """Return a network as each round of a method leaves it, pruned at random to the same sizes.

    A method that prunes once has one round. A Fault where the sizes need training.
    """
    masks: dict[str, torch.Tensor] = {}
    dense: dict[str, int] = {}
    left = []
    for method in rounds_of(entry):
        if method.granularity == "filter":
            widths_without_data(network, method, shape)
        elif method.allocation.kind == "global":
            raise Fault(
                f"{method.allocation.options['sparsity']:.2%} of all weights, layer unknown"
            )
        at_random = replace(method, criterion="random", options={}, iterations=1)
        pruned = prune(
            network, (), at_random, torch.Generator().manual_seed(0), shape, masks, dense
        )
        network, masks, dense = apply(network, pruned), pruned.masks, pruned.dense
        left.append(network)
    return left


def rounds_of(entry: Entry) -> list[Method]:
    """Return the method of each round of an entry: one where it prunes once."""
    return entry.methods() if isinstance(entry, Iterative) else [entry.method()]
