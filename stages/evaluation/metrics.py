"""Metrics of a whole split at once, from logits: averages over images, never over batches.

Each is `metric(logits, labels) -> float` for logits float [N, K] and labels int64 [N], N of at
least 1. A new one is one function and one line in METRICS: it reaches result files, tables and the
report, and nothing is trained or run again for it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stages.pipeline.fault import Fault

Metric = Callable[[np.ndarray, np.ndarray], float]
Float = NDArray[np.float64]


def accuracy(logits: np.ndarray, labels: np.ndarray) -> float:
    """Top-1 accuracy: the fraction of images whose largest logit is their label."""
    return float((logits.argmax(1) == labels).mean())


def nll(logits: np.ndarray, labels: np.ndarray) -> float:
    """Negative log-likelihood of the labels, the mean cross-entropy, in nats."""
    of_labels = _log_probabilities(logits)[np.arange(len(labels)), labels]
    return float(0.0 - of_labels.mean())  # a certain prediction scores 0.0, not -0.0


def brier(logits: np.ndarray, labels: np.ndarray) -> float:
    """Brier score: the mean over images of sum_k (p_k - y_k)^2, from 0 to 2 (Brier 1950, eq. 2)."""
    errors = np.exp(_log_probabilities(logits))
    errors[np.arange(len(labels)), labels] -= 1
    return float((errors**2).sum(1).mean())


METRICS: dict[str, Metric] = {"accuracy": accuracy, "nll": nll, "brier": brier}


def scores(logits: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
    """Return every metric by name, None where it is not finite; a Fault where shapes do not fit."""
    if not len(labels) or logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise Fault(
            f"logits {list(logits.shape)} and labels {list(labels.shape)}: "
            "they must be [N, classes] and [N] with N of at least 1"
        )
    values = {name: metric(logits, labels) for name, metric in METRICS.items()}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _log_probabilities(logits: np.ndarray) -> Float:
    """Return log softmax in float64; the largest logit is taken off first, against overflow."""
    with np.errstate(invalid="ignore"):
        shifted = logits.astype(np.float64) - logits.max(1, keepdims=True).astype(np.float64)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))
