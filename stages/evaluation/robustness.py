"""Accuracy on corrupted images, and the mean corruption error."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn

from stages.evaluation.corruptions import corrupted
from stages.evaluation.outcome import DIVERGED
from stages.evaluation.settings import CorruptionKind, Corruptions
from stages.images.prepared import Prepared
from stages.networks import compact
from stages.pipeline.files import load_arrays
from stages.replicates.precision import placed
from stages.replicates.settings import Compute
from stages.training.errors import explained
from stages.training.inference import logits


class Condition(NamedTuple):
    """How images are corrupted; severity 0 leaves them as they are."""

    corruption: CorruptionKind | None
    severity: int


class Subject(NamedTuple):
    """A network that is tested: `dense`, `pruned`, or `retrained` under a schedule."""

    network: str
    schedule: str = ""


DENSE = Subject("dense")


def conditions(asked: Corruptions) -> list[Condition]:
    """Return the conditions of a test: clean images, then each kind at each severity."""
    corruptions = [Condition(kind, s) for kind in asked.kinds for s in asked.severities]
    return [Condition(None, 0), *corruptions]


def accuracies(
    files: Mapping[Subject, Path], data: Prepared, asked: Corruptions, compute: Compute
) -> dict[str, np.ndarray]:
    """Return the test accuracies [conditions] of a replicate's saved networks, by subject's name.

    They are NaN where training diverged and left no network.
    """
    networks = {
        subject: placed(compact.load(file), data.mean.device, compute)
        for subject, file in files.items()
        if not (file.parent / DIVERGED).exists()
    }
    under = conditions(asked)
    found = scored(networks, data, under, compute.evaluation_batch_size)
    none = np.full(len(under), np.nan)
    return {"/".join(subject): found.get(subject, none) for subject in files}


def collected(files: Sequence[Path]) -> dict[Subject, np.ndarray]:
    """Return the accuracies [replicates, conditions] that were saved in a file per replicate."""
    parts = [load_arrays(file) for file in files]
    return {Subject(*key.split("/")): np.stack([part[key] for part in parts]) for key in parts[0]}


def scored(
    networks: Mapping[Subject, nn.Module],
    data: Prepared,
    under: Sequence[Condition],
    batch_size: int,
) -> dict[Subject, np.ndarray]:
    """Return each network's top-1 accuracy on the test images, a fraction, by condition."""
    images, labels = data.test.images.cpu().numpy(), data.test.labels.cpu()
    right = {subject: np.zeros(len(under)) for subject in networks}
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        for number, condition in enumerate(under):
            batch = torch.from_numpy(_corrupted(images[part], condition, start))
            for subject, network in networks.items():
                with explained("compute.evaluation_batch_size"):
                    found = logits(network, batch, data.mean, data.std, batch_size)
                right[subject][number] += int((found.argmax(1).cpu() == labels[part]).sum())
    return {subject: count / len(images) for subject, count in right.items()}


def robustness(found: Mapping[Subject, np.ndarray], asked: Corruptions) -> pd.DataFrame:
    """Return mean and standard deviation over replicates of all measures, in rows.

    `found` are accuracies [replicates, conditions]. A network's corruption error is its sum of
    errors over severities, divided by that of the dense network of the same replicate; the mean of
    these over kinds is the mean corruption error: 1 for the dense network (Hendrycks and
    Dietterich 2019, section 4, where AlexNet takes its place).
    """
    under = conditions(asked)
    errors = {subject: _errors(of, found[DENSE], under) for subject, of in found.items()}
    rows = [
        _row(subject, "mean_corruption_error", "", "", np.mean([*by_kind.values()], axis=0))
        for subject, by_kind in errors.items()
    ]
    rows += [
        _row(subject, "corruption_error", kind, "", ratio)
        for subject, by_kind in errors.items()
        for kind, ratio in by_kind.items()
    ]
    rows += [
        _row(subject, "accuracy", kind or "", severity, of[:, number])
        for subject, of in found.items()
        for number, (kind, severity) in enumerate(under)
    ]
    return pd.DataFrame(rows)


def _corrupted(images: np.ndarray, condition: Condition, start: int) -> np.ndarray:
    kind, severity = condition
    if kind is None:
        return images.copy()
    return np.stack([corrupted(each, kind, severity, start + i) for i, each in enumerate(images)])


def _errors(
    of: np.ndarray, dense: np.ndarray, under: Sequence[Condition]
) -> dict[CorruptionKind, np.ndarray]:
    """Return the corruption errors [replicates] by kind; NaN or infinite where dense has none."""
    columns: dict[CorruptionKind, list[int]] = {}
    for number, (kind, _) in enumerate(under):
        if kind:
            columns.setdefault(kind, []).append(number)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            kind: (1 - of[:, at]).sum(axis=1) / (1 - dense[:, at]).sum(axis=1)
            for kind, at in columns.items()
        }


def _row(
    subject: Subject, measure: str, corruption: str, severity: int | str, values: np.ndarray
) -> dict[str, object]:
    return {
        **subject._asdict(),
        "measure": measure,
        "corruption": corruption,
        "severity": severity,
        "mean": values.mean(),
        "sd": values.std(ddof=1) if len(values) > 1 else np.nan,
        "n": len(values),
    }
