"""Prune one network by one method: the entry to this room."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from stages.networks.compact import Kept
from stages.pipeline.fault import Fault
from stages.pruning import structured, unstructured
from stages.pruning.checks import check_weights
from stages.pruning.criteria.types import Batches
from stages.pruning.distance import fraction_pruned
from stages.pruning.method import Method
from stages.pruning.registry import CRITERIA, find


@dataclass(frozen=True)
class Pruned:
    """What pruning decided; the network itself is unchanged.

    Filters: `kept`, the indices that stay per tensor and dim (for `networks.compact.cut`), and
    `widths`, the filters left per prunable layer, of `dense` before the first round. Weights:
    `masks`, True where a weight stays.
    `fraction` is the share that this call removed of what it was given: of the network's
    parameters (filters), or of the prunable weights that earlier masks had left (weights);
    `sparsity` is the share of all prunable weights that is masked now, for filters the same.
    """

    kept: Kept = field(default_factory=dict)
    widths: dict[str, int] = field(default_factory=dict)
    dense: dict[str, int] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)
    sparsity: float = 0.0
    fraction: float = 0.0


def prune(
    network: nn.Module,
    batches: Batches,
    method: Method,
    generator: torch.Generator,
    input_shape: Sequence[int],
    masks: Mapping[str, Tensor] | None = None,
    dense: Mapping[str, int] | None = None,
) -> Pruned:
    """Decide what to remove from a network, which may itself be pruned already.

    `batches` are float images [B, C, H, W] and int64 labels [B] on the network's device, for
    criteria that look at data; `input_shape` is [C, H, W]; `masks` are those of earlier rounds of
    weight pruning, whose weights stay masked; `dense` the widths before the first round of filter
    pruning. Raises a Fault for a method that does not fit the
    network.
    """
    check_weights(network)
    if method.granularity == "filter":
        return _filters(network, batches, method, generator, input_shape, dict(dense or {}))
    return _weights(network, batches, method, generator, dict(masks or {}))


def widths_without_data(
    network: nn.Module, method: Method, input_shape: Sequence[int]
) -> dict[str, int]:
    """Return the filters left per prunable layer, where they follow from the network's shape alone.

    Raises a Fault that says why where they depend on weights or data.
    """
    if method.granularity != "filter":
        raise Fault("granularity: weight pruning leaves all widths as they are")
    check_weights(network)
    found = structured.structure(network, input_shape, method.scope, method.units)
    return structured.widths_of(found, method, None)


def _filters(
    network: nn.Module,
    batches: Batches,
    method: Method,
    generator: torch.Generator,
    input_shape: Sequence[int],
    dense: dict[str, int],
) -> Pruned:
    found = structured.structure(network, input_shape, method.scope, method.units)
    by_layer = _scores(network, batches, method, generator)
    scores = {group.name: structured.group_scores(group, by_layer) for group in found.groups}
    now = {layer.name: layer.width for layer in found.layers}
    dense = dense or now
    widths = structured.widths_of(found, method, scores, dense)
    kept = structured.select(found, widths, scores)
    structured.verify(network, kept, input_shape)
    before, after = found.measure(now).parameters, found.measure(widths).parameters
    removed = fraction_pruned(before, after)
    return Pruned(kept, widths, dense, sparsity=removed, fraction=removed)


def _weights(
    network: nn.Module,
    batches: Batches,
    method: Method,
    generator: torch.Generator,
    before: dict[str, Tensor],
) -> Pruned:
    def score(current: nn.Module) -> dict[str, np.ndarray]:
        return _scores(current, batches, method, generator)

    masks = unstructured.masks_of(network, method, score, before)
    total = sum(mask.numel() for mask in masks.values())
    alive = sum(
        int(before[name].sum()) if name in before else m.numel() for name, m in masks.items()
    )
    after = sum(int(mask.sum()) for mask in masks.values())
    return Pruned(
        masks=masks,
        sparsity=fraction_pruned(total, after),
        fraction=fraction_pruned(alive, after),
    )


def _scores(
    network: nn.Module, batches: Batches, method: Method, generator: torch.Generator
) -> dict[str, np.ndarray]:
    criterion = find(CRITERIA, method.granularity, method.criterion, "criterion")
    units = [method.units] if method.granularity == "filter" else []
    found = criterion(network, batches, generator, *units, **method.options)
    scores = {name: values.detach().cpu().numpy() for name, values in found.items()}
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise Fault(f"criterion: {method.criterion} gives {name} scores that are not finite")
    return scores
