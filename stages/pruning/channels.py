"""Channel groups: which entries of which tensors go together when a channel is removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.networks.compact import Kept

Chosen = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Member:
    """One dim, `size` long, of one tensor: entry `positions[i]` belongs to the unit `units[i]`.

    Dim 1 of a shortcut's `source` stands for its input channels (see `compact.cut`).
    """

    module: str
    tensor: str
    dim: int
    size: int
    positions: np.ndarray
    units: np.ndarray


@dataclass(frozen=True)
class Group:
    """Channels that leave together: `width` units, each with its entries in every member.

    `name` is the first layer that makes them, or the attention of which they are heads.
    `coupled` groups meet another layer's output in an addition or a concatenation, or fork to
    several layers; the others run inside a block, to one layer. A unit is one filter of a
    convolution; where a grouped convolution ties filters together, one of its groups; a neuron of a
    linear layer; a head of an attention.
    """

    name: str
    width: int
    members: tuple[Member, ...]
    coupled: bool


def kept(groups: Sequence[Group], chosen: Chosen) -> Kept:
    """Return the indices that stay, per tensor and dim, when each group keeps its chosen units.

    `chosen[group.name]` is bool [width]. Only dims that belong to a group appear; the indices are
    int64 and ascending.
    """
    alive: dict[str, dict[int, np.ndarray]] = {}
    for group in groups:
        for member in group.members:
            dims = alive.setdefault(member.tensor, {})
            mask = dims.setdefault(member.dim, np.ones(member.size, dtype=bool))
            mask[member.positions] &= chosen[group.name][member.units]
    return {
        name: {dim: np.flatnonzero(mask) for dim, mask in sorted(dims.items())}
        for name, dims in sorted(alive.items())
    }
