"""What a source of images returns."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from stages.data.split import stratified


@dataclass(frozen=True)
class Raw:
    """A whole data set: uint8 images [N, C, H, W] of one size, int64 labels [N], class names."""

    train_images: np.ndarray
    train_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]

    def limited(self, train: int | None, test: int | None, seed: int) -> Self:
        """Keep at most `train` and `test` images, drawn in proportion to the classes; None: all."""
        return replace(
            self,
            **_limited("train", self.train_images, self.train_labels, train, seed),
            **_limited("test", self.test_images, self.test_labels, test, seed),
        )


def _limited(
    part: str, images: np.ndarray, labels: np.ndarray, limit: int | None, seed: int
) -> dict[str, Any]:
    if limit is None or limit >= len(labels):
        return {}
    index = stratified(labels, limit, seed)
    return {f"{part}_images": images[index], f"{part}_labels": labels[index]}
