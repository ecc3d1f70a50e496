"""Stratified parts of a labelled set: in proportion to the classes, exact in total, seeded."""

from collections.abc import Sequence

import numpy as np

from stages.pipeline.fault import Fault


def shares(counts: np.ndarray, total: int) -> np.ndarray:
    """Split `total` in proportion to `counts` by the largest remainder; ties go to the first class.

    No share exceeds its count as long as `total` does not exceed their sum.
    """
    whole, remainder = np.divmod(counts * total, counts.sum())
    first = np.argsort(-remainder, kind="stable")[: total - whole.sum()]
    whole[first] += 1
    return whole


def stratified(labels: np.ndarray, total: int, seed: int) -> np.ndarray:
    """Sample `total` positions of `labels`, each class by its share; sorted int64 [total]."""
    generator = np.random.default_rng(seed)
    counts = np.bincount(labels)
    sampled = [
        generator.permutation(np.flatnonzero(labels == label))[:share]
        for label, share in enumerate(shares(counts, total))
    ]
    return np.sort(np.concatenate(sampled))


def limited(labels: np.ndarray, limit: int | None, seed: int) -> np.ndarray:
    """Return the positions of at most `limit` labels, sampled in proportion to the classes.

    None keeps all. Sorted int64.
    """
    if limit is None or limit >= len(labels):
        return np.arange(len(labels))
    return stratified(labels, limit, seed)


def holdout(
    labels: np.ndarray, fraction: float, seed: int, classes: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Split the training images into a part to train on and a part for validation.

    Returns two sorted, disjoint int64 index arrays that together cover `labels`; the second holds
    round(fraction * N) of them and is empty for a fraction of 0. A Fault when a class keeps no
    image to train on, or when a fraction above 0 holds out none.
    """
    total = round(fraction * len(labels))
    if fraction > 0 and total == 0:
        raise Fault(
            f"data.validation is {fraction} of {len(labels)} training images, which holds out none;"
            " use a larger fraction, or 0"
        )
    held = stratified(labels, total, seed)
    kept = np.setdiff1d(np.arange(len(labels)), held)
    for name, count in zip(classes, np.bincount(labels[kept], minlength=len(classes)), strict=True):
        if count == 0:
            raise Fault(
                f"data.validation is {fraction} and leaves no training image of class {name!r};"
                " use a smaller fraction, more images, or a larger data.train_limit"
            )
    return kept, held
