"""Which entries stay by rank: exact counts, ties broken by position."""

import math
from collections.abc import Mapping

import numpy as np

from stages.pipeline.fault import Fault

Scores = Mapping[str, np.ndarray]
"""Scores by the name of a layer or a parameter; higher = keep."""


def top(scores: np.ndarray, count: int) -> np.ndarray:
    """Return a mask, shaped as the scores, of exactly `count` entries with the highest scores.

    Among equal scores the entries that come first stay.
    """
    flat = scores.ravel()
    if count <= 0:
        return np.zeros(scores.shape, dtype=bool)
    if count >= flat.size:
        return np.ones(scores.shape, dtype=bool)
    threshold = np.partition(flat, flat.size - count)[flat.size - count]
    mask = flat > threshold
    ties = np.flatnonzero(flat == threshold)
    mask[ties[: count - np.count_nonzero(mask)]] = True
    return np.reshape(mask, scores.shape)


def top_of_all(scores: Scores, count: int, minimum: int = 0) -> dict[str, np.ndarray]:
    """Return masks of the `count` highest scores over all layers, at least `minimum` in each.

    The minimum (or the whole layer, where it is smaller) comes first; the rest is one global
    threshold (Gupta et al. 2022). A Fault when the minimum alone is more than `count`.
    """
    reserved = {name: top(layer, minimum) for name, layer in scores.items()}
    needed = sum(int(mask.sum()) for mask in reserved.values())
    if needed > count:
        raise Fault(
            f"allocation.minimum: {minimum} in every layer keeps {needed}, the allocation {count}"
        )
    ranked = np.concatenate([np.ravel(layer) for layer in scores.values()])
    ranked[np.concatenate([mask.ravel() for mask in reserved.values()])] = np.inf
    return _split(top(ranked, count), {name: layer.shape for name, layer in scores.items()})


def _split(flat: np.ndarray, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()])
    pieces = zip(shapes.items(), np.split(flat, ends[:-1]), strict=True)
    return {name: piece.reshape(shape) for (name, shape), piece in pieces}
