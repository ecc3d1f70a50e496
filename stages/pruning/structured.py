"""Filter pruning: widths by the allocation, units by their scores, indices for the surgery."""

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from stages.evaluation import cost
from stages.networks.compact import Kept
from stages.pipeline.fault import Fault
from stages.pruning.allocation.layer import Layer, Measure, Size
from stages.pruning.allocation.ranking import Scores, top
from stages.pruning.channels import Group, kept
from stages.pruning.checks import check_equivalence, check_finite, check_training
from stages.pruning.method import CHANNELS, UNITS, Method, Scope, Unit, Units
from stages.pruning.numbering import layers
from stages.pruning.registry import ALLOCATIONS, find
from stages.pruning.surgery import compact_form, masked_form
from stages.pruning.trace import Trace, sample, trace


@dataclass(frozen=True)
class Structure:
    """The channel groups of a network that a scope admits, the layers they are, and their cost."""

    groups: list[Group]
    layers: list[Layer]
    measure: Measure


def structure(
    network: nn.Module, input_shape: Sequence[int], scope: Scope, units: Units = CHANNELS
) -> Structure:
    """Find what a scope admits of such units; a Fault where that is nothing."""
    found = trace(network, input_shape, units)
    groups = _admitted(found, scope)
    if not groups:
        what = "convolution" if units == CHANNELS else " or ".join(units)
        reason = f"{_reason(network, found)}{_remedy(network, input_shape, scope, units)}"
        raise Fault(f"scope: {scope!r} admits no {what} of {type(network).__name__}: {reason}")
    return Structure(
        groups, layers(network, found, groups), measuring(network, input_shape, groups)
    )


def widths_of(
    found: Structure,
    method: Method,
    scores: Scores | None,
    dense: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Return the units that each group keeps; a Fault when they depend on missing scores.

    `dense` are the units before the first round, of which some allocations take their part.
    """
    allocation = find(ALLOCATIONS, "filter", method.allocation.kind, "allocation.kind")
    before = (dense or {}) if method.allocation.of_dense else {}
    ranked = [
        replace(
            layer,
            width=before.get(layer.name, layer.width),
            scores=None if scores is None else scores[layer.name],
        )
        for layer in found.layers
    ]
    return dict(allocation(ranked, found.measure, **method.allocation.options))


def group_scores(group: Group, scores: Scores) -> np.ndarray:
    """Return one score per unit of a group, from the scores of the layers that make it.

    `scores` are [outputs] by module name. One layer: its own, the mean over a unit of several
    outputs. Several layers: the mean over the layers of each one's scores divided by their mean,
    times the mean of those means, so that scores stay comparable with other groups'. A head's is
    the mean over its rows of q, k and v, be they one layer or three.
    """
    weights = ("weight", "in_proj_weight")
    makers = [m for m in group.members if m.tensor.rpartition(".")[2] in weights and not m.dim]
    parts = [(m.units, scores[m.module][m.positions]) for m in makers if m.module in scores]
    if parts and all(maker.module != group.name for maker in makers):  # heads
        units, values = zip(*parts, strict=True)
        parts = [(np.concatenate(units), np.concatenate(values))]
    combined = _averaged([_by_unit(group, units, values) for units, values in parts])
    if np.isnan(combined).any():
        raise Fault(f"criterion: it has no score for the filters of {group.name}")
    return combined


def select(found: Structure, widths: Mapping[str, int], scores: Scores) -> Kept:
    """Return the indices to keep when each group keeps its best units."""
    chosen = {g.name: top(scores[g.name], widths[g.name]) for g in found.groups}
    return kept(found.groups, chosen)


def verify(network: nn.Module, kept: Kept, input_shape: Sequence[int]) -> None:
    """Compare the compact with the silenced network on random images; a Fault if they differ.

    Then run it in training mode, where it is to be retrained; a Fault if it cannot.
    """
    dense = copy.deepcopy(network).cpu()
    compact, images = compact_form(dense, kept), sample(input_shape)
    check_finite(dense, images)
    check_equivalence(masked_form(dense, kept), compact, images)
    check_training(dense, compact, images)


def measuring(network: nn.Module, input_shape: Sequence[int], groups: Sequence[Group]) -> Measure:
    """Return the function from widths to the size of the network that has them.

    MACs of a layer are in proportion to its weights, those of an attention, and of what is inside
    it without weights, to its heads.
    """
    macs = {row.name: row.macs for row in cost.layers(network, input_shape) if row.macs}
    full = {group.name: group.width for group in groups}
    shapes = {name: tuple(tensor.shape) for name, tensor in network.named_parameters()}
    cuts = [
        (member.tensor, member.dim, group.name, _beyond(group, member.units))
        for group in groups
        for member in group.members
        if member.tensor in shapes
    ]

    def measure(widths: Mapping[str, int]) -> Size:
        left = {name: np.array(shape, dtype=np.int64) for name, shape in shapes.items()}
        for tensor, dim, group, beyond in cuts:
            left[tensor][dim] -= beyond[widths[group]]
        sizes = {name: int(shape.prod()) for name, shape in left.items()}
        return Size(sum(sizes.values()), sum(at(name, sizes, widths) for name in macs))

    def at(name: str, sizes: Mapping[str, int], widths: Mapping[str, int]) -> int:
        weight = f"{name}.weight".lstrip(".")
        if weight in sizes:
            return macs[name] * sizes[weight] // math.prod(shapes[weight])
        group = next((outer for outer in _around(name) if outer in full), name)
        return macs[name] * widths.get(group, 1) // full.get(group, 1)

    return measure


def _around(name: str) -> Iterator[str]:
    """Yield a module's name and those of the modules around it, the nearest first."""
    while name:
        yield name
        name = name.rpartition(".")[0]
    yield name


def _admitted(found: Trace, scope: Scope) -> list[Group]:
    return [group for group in found.groups if scope == "all" or not group.coupled]


def _reason(network: nn.Module, found: Trace) -> str:
    """Say of the first layer why its units are not prunable."""
    for group in found.groups:
        units = _units(network, group.name)
        return f"the {units} of {group.name} meet those of other layers; scope: all admits them"
    for name, reason in found.refused.items():
        return f"the {_units(network, name)} of {name} {reason}"
    return "it has none"


def _remedy(network: nn.Module, input_shape: Sequence[int], scope: Scope, units: Units) -> str:
    """Name the units that a network has instead, in the same scope."""
    others = [unit for unit in UNITS if unit not in units]
    found = [u for u in others if _admitted(trace(network, input_shape, (u,)), scope)]
    return f"; units: [{', '.join(found)}] would admit others" if found else ""


def _units(network: nn.Module, name: str) -> Unit:
    module = network.get_submodule(name)
    if isinstance(module, nn.Conv2d):
        return "channels"
    return "neurons" if isinstance(module, nn.Linear) else "heads"


def _averaged(parts: Sequence[np.ndarray]) -> np.ndarray:
    if len(parts) < 2:
        return parts[0] if parts else np.full(1, np.nan)
    scales = [np.nanmean(part) for part in parts]
    relative = [part / (scale or 1) for part, scale in zip(parts, scales, strict=True)]
    averaged: np.ndarray = np.nanmean(relative, axis=0) * np.mean(scales)
    return averaged


def _by_unit(group: Group, units: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Average values over the units they belong to; NaN for a unit without any."""
    counts = np.bincount(units, minlength=group.width).astype(np.float64)
    counts[counts == 0] = np.nan
    return np.bincount(units, weights=values, minlength=group.width) / counts


def _beyond(group: Group, units: np.ndarray) -> np.ndarray:
    """Return, for each width, how many entries belong to the units past it."""
    counts = np.bincount(units, minlength=group.width)
    return len(units) - np.concatenate([[0], np.cumsum(counts)])
