"""Where a retraining run starts: the final, the rewound or a fresh network, pruned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from stages.files import load_arrays, read_meta
from stages.models import compact
from stages.training.loop import split_state
from stages.training.order import RETRAIN, layer_seed

Kind = Literal["final", "rewound", "fresh"]


@dataclass(frozen=True)
class Start:
    """A pruned network, the masks that hold its pruned weights, the momentum that it continues."""

    network: nn.Module
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    velocity: Mapping[str, Tensor] | None = None


def start(kind: Kind, pruned: Path, name: str, checkpoint: Path, seed: int) -> Start:
    """Return the start of replicate `name` of the pruned networks in the folder `pruned`.

    final: the pruned network itself (Han 2015). rewound: surviving weights and momentum as in
    `checkpoint` (Frankle 2019, Renda 2020). fresh: drawn anew from `seed`, not as
    the dense run began, which would be the lottery ticket (Liu 2019).
    """
    network_file = pruned / "networks" / f"{name}.safetensors"
    selection = pruned / "masks" / f"{name}.safetensors"
    by_weight = read_meta(selection)["granularity"] == "weight"
    arrays = load_arrays(selection)
    masks = {k: torch.from_numpy(mask) for k, mask in arrays.items()} if by_weight else {}
    if kind == "fresh":
        drawn = compact.fresh(network_file, layer_seed(seed, RETRAIN, 0))
        return Start(_masked(drawn, masks), masks)
    network = compact.load(network_file)
    if kind == "final":
        return Start(network, masks)
    weights, velocity = split_state(load_arrays(checkpoint))
    if not by_weight:
        weights, velocity = (_cut(tensors, arrays) for tensors in (weights, velocity))
    network.load_state_dict(weights)
    velocity = {k: v * masks[k] if k in masks else v for k, v in velocity.items()}
    return Start(_masked(network, masks), masks, velocity)


def _cut(tensors: Mapping[str, Tensor], arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    kept = {name: dims for name, dims in compact.nested(arrays).items() if name in tensors}
    return compact.cut(tensors, kept)


def _masked(network: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    with torch.no_grad():
        for name, mask in masks.items():
            network.get_parameter(name).mul_(mask)
    return network
