"""Logits of a network on every split, and what they say."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from stages.data.images import ImageSet, Prepared
from stages.files import load_arrays, save_arrays
from stages.metrics.accuracy import cross_entropy, top1
from stages.training.inference import logits

DIGITS = 6
"""Decimals of the result files in git."""


def splits(data: Prepared) -> dict[str, ImageSet]:
    """Return the parts of the data by name."""
    return {"train": data.train, "validation": data.validation, "test": data.test}


def write_logits(
    path: Path, networks: Mapping[str, nn.Module], data: Prepared, batch_size: int
) -> None:
    """Write the logits float32 [N, K] of each network on each split, as "network/split".

    The networks lie where `data` does.
    """
    arrays: dict[str, np.ndarray] = {}
    for name, network in networks.items():
        for split, part in splits(data).items():
            if len(part.labels):
                out = logits(network, part.images, data.mean, data.std, batch_size)
                arrays[f"{name}/{split}"] = out.cpu().numpy()
    save_arrays(path, arrays)


def read_scores(path: Path, data: Prepared) -> dict[str, dict[str, Any]]:
    """Return accuracy and loss by network and split; None for an empty split or infinite loss."""
    arrays = load_arrays(path)
    scores: dict[str, dict[str, Any]] = {}
    for name in sorted({key.split("/")[0] for key in arrays}):
        scores[name] = {}
        for split, part in splits(data).items():
            array = arrays.get(f"{name}/{split}")
            scores[name][split] = None if array is None else _scores(array, part)
    return scores


def _scores(array: np.ndarray, part: ImageSet) -> dict[str, float | None]:
    out = torch.from_numpy(array)
    loss = cross_entropy(out, part.labels)
    return {"accuracy": top1(out, part.labels), "loss": loss if math.isfinite(loss) else None}
