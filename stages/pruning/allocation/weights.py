"""Weight allocations: which weights of each layer stay.

Each is `(scores, *, own options) -> {parameter name: bool mask}`; scores and masks have the shapes
of the weights, [out, in, ...]. Keyword-only parameters are the allocation's options in
params.yaml: a new allocation is one function here and one line of WEIGHT_ALLOCATIONS.
"""

import math
from collections.abc import Callable, Mapping
from typing import Annotated

import numpy as np
from annotated_types import Ge, Gt, Lt

from stages.pipeline.fault import Fault
from stages.pruning.allocation.ranking import Scores, top, top_of_all

Masks = dict[str, np.ndarray]
Sparsity = Annotated[float, Ge(0), Lt(1)]


def overall(scores: Scores, *, sparsity: Sparsity, minimum: Annotated[int, Ge(0)] = 0) -> Masks:
    """Remove a share of all weights by one threshold, exact to one weight (Han et al. 2015).

    Every layer keeps at least `minimum` weights (Gupta et al. 2022).
    """
    return top_of_all(scores, _left(_total(scores), sparsity), minimum)


def uniform(scores: Scores, *, sparsity: Sparsity) -> Masks:
    """Remove the same share of every layer's weights."""
    return {name: top(layer, _left(layer.size, sparsity)) for name, layer in scores.items()}


def erk(scores: Scores, *, sparsity: Sparsity) -> Masks:
    """Erdos-Renyi-kernel densities per layer (Evci et al. 2020, section 3), exact in total.

    A layer's density is in proportion to sum(shape) / prod(shape); layers that would exceed 1
    stay dense and the others share the rest.
    """
    budget = _left(_total(scores), sparsity)
    counts = _shares({name: layer.shape for name, layer in scores.items()}, budget)
    return {name: top(layer, counts[name]) for name, layer in scores.items()}


def n_m(scores: Scores, *, n: Annotated[int, Gt(0)] = 2, m: Annotated[int, Gt(0)] = 4) -> Masks:
    """Keep the n best of every m consecutive inputs (2:4 sparsity, Mishra et al. 2021).

    Consecutive along the input channels, at each output and kernel position, as in NVIDIA's ASP
    and what sparse tensor cores take. A layer whose inputs m does not divide stays dense.
    """
    if n > m:
        raise Fault(f"allocation.n: {n} of every {m} weights; n is at most m")
    if not any(layer.shape[1] % m == 0 for layer in scores.values()):
        raise Fault(f"allocation.m: {m} divides the inputs of no layer")
    return {name: _best_of(layer, n, m) for name, layer in scores.items()}


def _total(scores: Scores) -> int:
    return sum(layer.size for layer in scores.values())


def _left(total: int, sparsity: float) -> int:
    return total - round(total * sparsity)


def _best_of(scores: np.ndarray, n: int, m: int) -> np.ndarray:
    if scores.shape[1] % m:
        return np.ones(scores.shape, dtype=bool)
    inputs_last = np.moveaxis(scores, 1, -1)
    blocks = inputs_last.reshape(*inputs_last.shape[:-1], -1, m)
    ranks = np.argsort(np.argsort(-blocks, axis=-1, kind="stable"), axis=-1)
    return np.moveaxis((ranks < n).reshape(inputs_last.shape), -1, 1)


def _shares(shapes: Mapping[str, tuple[int, ...]], budget: int) -> dict[str, int]:
    """Split a budget of weights by Erdos-Renyi-kernel; remainders go to the largest fractions."""
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    dense: set[str] = set()
    while True:
        rest = budget - sum(sizes[name] for name in dense)
        free = {name: sum(shape) for name, shape in shapes.items() if name not in dense}
        exact = {name: rest * part / sum(free.values()) for name, part in free.items()}
        full = {name for name, count in exact.items() if count >= sizes[name]}
        if not full:
            break
        dense |= full
    counts = {name: math.floor(exact.get(name, sizes[name])) for name in shapes}
    by_fraction = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_fraction[: budget - sum(counts.values())]:
        counts[name] += 1
    return counts


WEIGHT_ALLOCATIONS: dict[str, Callable[..., Masks]] = {
    "global": overall,
    "uniform": uniform,
    "erk": erk,
    "n_m": n_m,
}
