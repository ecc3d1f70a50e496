"""The scale of an adaptive curve, from how far pruning moved the network."""

from math import isfinite, sqrt

from stages.pipeline.fault import Fault


def adaptive_scale(
    distance: float, fraction_pruned: float, epochs: int, dense_epochs: int
) -> float:
    """Return eta_1/eta_max of `adaptive_linear`: clip(d/sqrt(s), min(T/E, 1), 1) (Zimmer 2023).

    distance: d = ||W - W_pruned|| / ||W|| over all weights and biases. fraction_pruned: s, the
    fraction of the weights left before this pruning step that it removed; where it removed none,
    the scale is the lower bound.
    """
    if not (isfinite(distance) and distance >= 0):
        raise Fault(f"adaptive_scale: distance {distance}; allowed: 0 or more")
    if not 0 <= fraction_pruned <= 1:
        raise Fault(f"adaptive_scale: fraction_pruned {fraction_pruned}; allowed: 0 to 1")
    lowest = min(epochs / dense_epochs, 1.0)
    wanted = distance / sqrt(fraction_pruned) if fraction_pruned else 0.0
    return min(max(wanted, lowest), 1.0)
