"""How far pruning moved a network: what adaptive_linear scales its learning rate by."""

import math
from collections.abc import Mapping

from torch import Tensor


def distance(dense: Mapping[str, Tensor], pruned: Mapping[str, Tensor]) -> float:
    """Return d = ||W - W_pruned||_2 / ||W||_2 over all weights and biases (Zimmer et al. 2023).

    Both are parameters by name, not buffers. Removed entries count as zeros: a tensor that was
    cut holds unchanged entries of the dense one, so that its difference is what it lost.
    """
    lost = sum(_lost(tensor, pruned[name]) for name, tensor in dense.items())
    whole = sum(_energy(tensor) for tensor in dense.values())
    return math.sqrt(lost / whole) if whole else 0.0


def fraction_pruned(before: int, after: int) -> float:
    """Return s, the fraction that one pruning removed of the weights it was given."""
    return 1 - after / before


def _lost(dense: Tensor, pruned: Tensor) -> float:
    if dense.shape == pruned.shape:
        return _energy(dense.double() - pruned.double())
    return max(0.0, _energy(dense) - _energy(pruned))


def _energy(tensor: Tensor) -> float:
    return float(tensor.detach().double().square().sum())
