"""One pruning of one network: the images it sees, the network it leaves, the files of both."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.evaluation.cost import cost
from stages.images.normalise import normalise
from stages.images.prepared import Prepared
from stages.networks import compact
from stages.networks.building import Spec
from stages.networks.compact import Kept
from stages.pipeline.files import save_arrays
from stages.pruning.criteria.types import Batches
from stages.pruning.distance import distance
from stages.pruning.prune import Pruned
from stages.pruning.settings import Calibration
from stages.pruning.surgery import compact_form
from stages.pruning.unstructured import masked
from stages.replicates.seeds import PRUNE


def calibration_batches(data: Prepared, calibration: Calibration, seed: int) -> Batches:
    """Sample the training images that criteria see; normalised, not augmented."""
    count = calibration.batches * calibration.batch_size
    order = np.random.default_rng([seed, PRUNE]).permutation(len(data.train.labels))[:count]
    index = torch.from_numpy(order)
    pixels = data.train.images[index.to(data.train.images.device)].to(data.mean.device)
    labels = data.train.labels[index.to(data.mean.device)]
    images = normalise(pixels, data.mean, data.std)
    parts = (torch.split(whole, calibration.batch_size) for whole in (images, labels))
    return list(zip(*parts, strict=True))


def apply(network: nn.Module, pruned: Pruned) -> nn.Module:
    """Return a copy of the network without what was pruned."""
    return compact_form(network, pruned.kept) if pruned.kept else masked(network, pruned.masks)


def composed(first: Kept, then: Kept) -> Kept:
    """Return the indices, in the network before `first`, that `first` and `then` keep."""
    whole: dict[str, dict[int, np.ndarray]] = {name: dict(dims) for name, dims in first.items()}
    for name, dims in then.items():
        for dim, index in dims.items():
            before = whole.setdefault(name, {}).get(dim)
            whole[name][dim] = index if before is None else before[index]
    return whole


def since(first: Kept, whole: Kept) -> Kept:
    """Return what is kept of the network that `first` left where `whole` is kept of the dense one.

    `composed(first, since(first, whole))` is `whole`.
    """
    return {
        name: {dim: _places(first.get(name, {}).get(dim), index) for dim, index in dims.items()}
        for name, dims in whole.items()
    }


def _places(before: np.ndarray | None, index: np.ndarray) -> np.ndarray:
    if before is None:
        return index
    order = np.argsort(before)
    places: np.ndarray = order[np.searchsorted(before, index, sorter=order)]
    return places


def write_pruned(
    folder: Path, name: str, network: nn.Module, spec: Spec, kept: Kept, masks: Mapping[str, Tensor]
) -> None:
    """Write a pruned network and what was kept of the dense one, as retraining reads them."""
    granularity = "filter" if kept else "weight"
    arrays = {key: mask.cpu().numpy() for key, mask in masks.items()} | compact.flat(kept)
    compact.save(folder / "networks" / f"{name}.safetensors", network, spec)
    save_arrays(folder / "masks" / f"{name}.safetensors", arrays, {"granularity": granularity})


def sizes(
    before: nn.Module, after: nn.Module, pruned: Pruned, shape: Sequence[int]
) -> dict[str, Any]:
    """Return the size that is left, and how far pruning moved the network."""
    moved = distance(dict(before.named_parameters()), dict(after.named_parameters()))
    return {
        **asdict(cost(after, shape)),
        "distance": moved,
        "fraction_pruned": pruned.fraction,
        "sparsity": pruned.sparsity,
        "widths": pruned.widths,
    }
