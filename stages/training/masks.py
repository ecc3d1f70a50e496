"""Masks as a gate: no pruned weight may come back to life."""

from collections.abc import Mapping

from torch import Tensor

from stages.pipeline.fault import Fault


def check_fit(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Raise a Fault that names the first mask of no weight, or of another shape than its own."""
    for name, mask in masks.items():
        if name not in weights or weights[name].shape != mask.shape:
            raise Fault(f"{name}: the mask {list(mask.shape)} fits no weight of the network")


def check_masks(weights: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> None:
    """Raise a Fault that names the first layer with a masked weight that is not zero.

    `masks` are bool, True where a weight stays, each shaped as the weight of its name.
    """
    check_fit(weights, masks)
    for name, mask in masks.items():
        revived = int((weights[name].detach()[~mask.to(weights[name].device)] != 0).sum())
        if revived:
            raise Fault(f"{name}: {revived} of {int((~mask).sum())} pruned weights are not zero")
