"""Metrics of a whole split at once, from logits: averages over images, never over batches.

Each is `metric(logits, labels) -> float` for logits float [N, K] and labels int64 [N], N of at
least 1. A new one is one function and one line in METRICS: it reaches result files, tables and the
report, and nothing is trained or run again for it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.pipeline.fault import Fault

Metric = Callable[[np.ndarray, np.ndarray], float]
Float = NDArray[np.float64]
BINS = 15
"""Bins of the calibration errors, as in Guo 2017."""


@dataclass(frozen=True)
class Bins:
    """Of each bin of confidence its images, the sum of their confidences, and how many are right.

    `images` and `correct` are int64, `confidence` float64, all [BINS].
    """

    images: NDArray[np.int64]
    confidence: Float
    correct: NDArray[np.int64]


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


def ece(logits: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error over BINS bins of equal width (Guo 2017, eq. 3).

    The mean over images of the distance between confidence and accuracy in a bin.
    """
    return _distance(confidence_bins(logits, labels))


def adaptive_ece(logits: np.ndarray, labels: np.ndarray) -> float:
    """Return the same over BINS bins of equally many images, in the order of their confidence.

    (Nguyen & O'Connor 2015.) Where the number is no multiple of BINS, the first bins have one more.
    """
    confidence, right = _predictions(logits, labels)
    order = np.argsort(confidence, kind="stable")
    bins = np.empty(len(order), np.int64)
    for number, part in enumerate(np.array_split(order, BINS)):
        bins[part] = number
    return _distance(_binned(confidence, right, bins))


def top5(logits: np.ndarray, labels: np.ndarray) -> float:
    """Top-5 accuracy: the fraction of images whose label is among the five largest logits."""
    own = logits[np.arange(len(labels)), labels][:, None]
    earlier = np.arange(logits.shape[1]) < labels[:, None]  # of equal logits the first is taken
    ahead = (logits > own) | ((logits == own) & earlier)
    return float((ahead.sum(1) < 5).mean())


def agreement(logits: np.ndarray, others: np.ndarray) -> float:
    """Return the fraction of images for which two networks predict the same class."""
    return float((logits.argmax(1) == others.argmax(1)).mean())


def confidence_bins(logits: np.ndarray, labels: np.ndarray) -> Bins:
    """Return a split by confidence, what a reliability diagram shows (Guo 2017, fig. 1).

    Bins (a, b] of equal width; the confidence of an image is its largest probability.
    """
    confidence, right = _predictions(logits, labels)
    edges = np.linspace(0, 1, BINS + 1)
    bins = np.searchsorted(edges[1:-1], confidence, side="left")
    return _binned(confidence, right, bins)


def class_correct(logits: np.ndarray, labels: np.ndarray) -> NDArray[np.int64]:
    """Return how many images of each class are right, int64 [K]: those of per-class accuracy."""
    right = labels[logits.argmax(1) == labels]
    return np.bincount(right, minlength=logits.shape[1])


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "top5": top5,
    "nll": nll,
    "brier": brier,
    "ece": ece,
    "adaptive_ece": adaptive_ece,
}


def scores(logits: np.ndarray, labels: np.ndarray) -> dict[str, float | None]:
    """Return every metric by name, None where it is not finite; a Fault where shapes do not fit.

    Of five classes or fewer there is no top-5 accuracy.
    """
    if not len(labels) or logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise Fault(
            f"logits {list(logits.shape)} and labels {list(labels.shape)}: "
            "they must be [N, classes] and [N] with N of at least 1"
        )
    told = {name: m for name, m in METRICS.items() if m is not top5 or logits.shape[1] > 5}
    values = {name: metric(logits, labels) for name, metric in told.items()}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}


def _log_probabilities(logits: np.ndarray) -> Float:
    """Return log softmax in float64; the largest logit is taken off first, against overflow."""
    with np.errstate(invalid="ignore"):
        shifted = logits.astype(np.float64) - logits.max(1, keepdims=True).astype(np.float64)
        return np.asarray(shifted - np.log(np.exp(shifted).sum(1, keepdims=True)))


def _predictions(logits: np.ndarray, labels: np.ndarray) -> tuple[Float, NDArray[np.bool_]]:
    """Return the confidence of each prediction, and whether it is right."""
    probabilities = np.exp(_log_probabilities(logits))
    return probabilities.max(1), logits.argmax(1) == labels


def _binned(confidence: Float, right: NDArray[np.bool_], bins: NDArray[np.int64]) -> Bins:
    """Count the images of each bin, whose number is that of each image in `bins`."""
    return Bins(
        np.bincount(bins, minlength=BINS),
        np.bincount(bins, confidence, BINS).astype(np.float64),
        np.bincount(bins[right], minlength=BINS),
    )


def _distance(bins: Bins) -> float:
    """Return sum_b |sum of confidences - number right| / N over bins b of N images together."""
    return float(np.abs(bins.confidence - bins.correct).sum() / bins.images.sum())
