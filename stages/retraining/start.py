"""Where a retraining run starts: the final, the rewound or a fresh network, pruned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from stages.networks import compact
from stages.networks.fresh import fresh
from stages.pipeline.files import load_arrays, read_meta
from stages.replicates.seeds import RETRAIN, stream_seed
from stages.schedules.starts import Start
from stages.training.loop import split_state


@dataclass(frozen=True)
class StartingPoint:
    """A pruned network, the masks of its pruned weights, the optimizer state that it continues.

    `kept` are the channels of the dense network that a smaller one has (see `compact.cut`).
    """

    network: nn.Module
    masks: Mapping[str, Tensor] = field(default_factory=dict)
    state: Mapping[str, Tensor] | None = None
    kept: compact.Kept = field(default_factory=dict)


def starting_point(
    start: Start, pruned: Path, name: str, checkpoint: Path, seed: int, keeps_state: bool
) -> StartingPoint:
    """Return the start of replicate `name` of the pruned networks in the folder `pruned`.

    final: the pruned network itself (Han 2015). rewound: surviving weights as in `checkpoint`
    (Frankle 2019, Renda 2020). fresh: re-initialised from `seed`, not as the dense run began, which
    would be the lottery ticket (Liu 2019). The optimizer's slots are those of `checkpoint` where
    the arm `keeps_state`.
    """
    network_file = pruned / "networks" / f"{name}.safetensors"
    selection = pruned / "masks" / f"{name}.safetensors"
    by_weight = read_meta(selection)["granularity"] == "weight"
    arrays = load_arrays(selection)
    masks = {k: torch.from_numpy(mask) for k, mask in arrays.items()} if by_weight else {}
    kept = {} if by_weight else compact.nested(arrays)
    if start == "fresh":
        drawn = fresh(network_file, stream_seed(seed, RETRAIN, 0))
        return StartingPoint(_masked(drawn, masks), masks, kept=kept)
    network = compact.load(network_file)
    if start == "final" and not keeps_state:
        return StartingPoint(network, masks, kept=kept)
    weights, state = split_state(load_arrays(checkpoint))
    if not by_weight:
        weights = compact.cut(weights, kept)
        state = compact.cut(state, {key: kept.get(key.partition("/")[2], {}) for key in state})
    if start == "rewound":
        network.load_state_dict(weights)
    return StartingPoint(_masked(network, masks), masks, state if keeps_state else None, kept)


def _masked(network: nn.Module, masks: Mapping[str, Tensor]) -> nn.Module:
    with torch.no_grad():
        for name, mask in masks.items():
            network.get_parameter(name).mul_(mask)
    return network
