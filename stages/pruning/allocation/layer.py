"""A prunable layer as an allocation sees it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.pipeline.fault import Fault

Widths = dict[str, int]
"""The number of filters that each layer keeps, by the layer's name."""


@dataclass(frozen=True)
class Layer:
    """A channel group: its first convolution's name, its width, and where it stands.

    `index` is PFEC's (1-based over the stem and all convolutions wider than 1x1), None for a 1x1
    convolution; `stage` counts from 0. `scores` [width] is None where the widths must not depend
    on them.
    """

    name: str
    width: int
    index: int | None
    stage: int
    scores: np.ndarray | None = None


@dataclass(frozen=True)
class Size:
    """What a network of given widths would have: parameters, and MACs of convs and linears."""

    parameters: int
    macs: int


Measure = Callable[[Mapping[str, int]], Size]
"""From the widths of the prunable layers to the size of the network that has them."""


def keep(width: int, ratio: float) -> int:
    """Return how many of `width` filters stay: int(width * (1 - ratio)), at least one.

    In floating point, as in the code published for PFEC.
    """
    return max(1, int(width * (1 - ratio)))


def scores_of(layer: Layer) -> np.ndarray:
    """Return the layer's scores; a Fault where there are none."""
    if layer.scores is None:
        raise Fault("allocation: its widths depend on the scores, so on trained weights and data")
    return layer.scores


def skipped(layers: Sequence[Layer], skip: Sequence[int | str]) -> set[str]:
    """Return the names of the layers that `skip` lists by PFEC index or by name."""
    known = {label: layer.name for layer in layers for label in (layer.name, layer.index)}
    for label in skip:
        if label not in known:
            indices = [str(layer.index) for layer in layers if layer.index]
            kind, allowed = "convolution", ", ".join(indices)
            if not indices:
                kind, allowed = "layer", ", ".join(layer.name for layer in layers)
            raise Fault(f"allocation.skip: {label} is no prunable {kind}; allowed: {allowed}")
    return {known[label] for label in skip}
