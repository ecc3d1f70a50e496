"""The outcome of what a stage saved: computed from the files read back, so what is kept counts."""

from collections.abc import Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from stages.evaluation.cost import cost
from stages.evaluation.outcome import SPLITS, Outcome
from stages.images.prepared import ImageSet, Prepared
from stages.networks import compact
from stages.replicates.precision import placed
from stages.replicates.settings import Compute
from stages.training.errors import explained
from stages.training.inference import logits


def measure(files: Mapping[str, Path], data: Prepared, compute: Compute, **trained: Any) -> Outcome:
    """Return the outcome of saved networks, by name; the first one's size is that of all.

    `trained` are the fields of Outcome that say how they were trained.
    """
    device = data.mean.device
    networks = {name: compact.load(path) for name, path in files.items()}
    first = next(iter(files))
    parameters, nonzero, macs = astuple(cost(networks[first], data.shape))
    return Outcome(
        {
            name: split_logits(placed(network, device, compute), data, compute)
            for name, network in networks.items()
        },
        parameters,
        nonzero,
        macs,
        file_bytes=files[first].stat().st_size,
        **trained,
    )


def split_logits(network: nn.Module, data: Prepared, compute: Compute) -> dict[str, np.ndarray]:
    """Return a network's logits, float32 [N, classes], on each split that has images."""
    size = compute.evaluation_batch_size
    parts: dict[str, ImageSet] = {name: getattr(data, name) for name in SPLITS}
    with explained("compute.evaluation_batch_size"):
        return {
            name: logits(network, part.images, data.mean, data.std, size).cpu().numpy()
            for name, part in parts.items()
            if len(part.labels)
        }
