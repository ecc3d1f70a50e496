"""Weight pruning: masks by an allocation of scores, in one step or several."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.pipeline.fault import Fault
from stages.pruning.criteria.layers import weights
from stages.pruning.method import Method
from stages.pruning.registry import ALLOCATIONS, find

Masks = dict[str, Tensor]
Score = Callable[[nn.Module], Mapping[str, np.ndarray]]


def prunable(network: nn.Module, linear: bool) -> list[str]:
    """Return the names of the weights of convolutions, and of linear layers if asked for."""
    names = list(weights(network, linear))
    if not names:
        raise Fault(f"prune: {type(network).__name__} has no prunable weights; set `linear: true`")
    return names


def masks_of(network: nn.Module, method: Method, score: Score, before: Masks) -> Masks:
    """Return bool masks of the weights that stay; what `before` masks stays masked.

    With n iterations and a sparsity s, step k removes 1 - (1 - s)^(k / n) of the weights, rounded
    down to a whole weight, by the scores of the network that step k - 1 left (Tanaka et al. 2020,
    algorithm 1, rounding as in their code).
    """
    allocation = find(ALLOCATIONS, "weight", method.allocation.kind, "allocation.kind")
    names = prunable(network, method.linear)
    total = sum(network.get_parameter(name).numel() for name in names)
    masks = before
    for options in _steps(method, total):
        scores = score(masked(network, masks))
        ranked = {name: _without(scores[name], masks.get(name)) for name in names}
        chosen = allocation(ranked, **options)
        masks = {name: _within(chosen[name], masks.get(name)) for name in names}
    return masks


def masked(network: nn.Module, masks: Masks) -> nn.Module:
    """Return a copy of the network whose masked weights are zero."""
    copied = copy.deepcopy(network)
    with torch.no_grad():
        for name, mask in masks.items():
            copied.get_parameter(name).mul_(mask.to(copied.get_parameter(name).device))
    return copied


def _steps(method: Method, total: int) -> list[dict[str, Any]]:
    """Return the options of the allocation in each step, for `total` prunable weights."""
    options = dict(method.allocation.options)
    if method.iterations == 1:
        return [options]
    if "sparsity" not in options:
        raise Fault(
            f"iterations: {method.iterations}; only an allocation of a sparsity takes steps"
        )
    left = 1 - options["sparsity"]
    shares = (1 - left ** (k / method.iterations) for k in range(1, method.iterations + 1))
    return [{**options, "sparsity": int(share * total) / total} for share in shares]


def _without(scores: np.ndarray, mask: Tensor | None) -> np.ndarray:
    return scores if mask is None else np.where(mask.cpu().numpy(), scores, -np.inf)


def _within(chosen: np.ndarray, mask: Tensor | None) -> Tensor:
    ours = torch.from_numpy(np.ascontiguousarray(chosen))
    return ours if mask is None else ours & mask.cpu()
