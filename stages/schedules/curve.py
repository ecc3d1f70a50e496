"""Learning-rate and momentum curves as files: data, whoever drew them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.files import load_arrays, read_meta, save_arrays

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Learning rate and momentum of every step, each float64 [epochs * steps_per_epoch].

    Learning rates are as the optimizer takes them.
    """

    lr: Values
    momentum: Values
    steps_per_epoch: int

    @property
    def epochs(self) -> int:
        """Return the length in epochs."""
        return len(self.lr) // self.steps_per_epoch


def save_curve(path: Path | str, curve: Curve, about: Mapping[str, Any]) -> None:
    """Write a curve; `about` says what else defines the run."""
    meta = {"steps_per_epoch": curve.steps_per_epoch, **about}
    save_arrays(path, {"lr": curve.lr, "momentum": curve.momentum}, meta)


def load_curve(path: Path | str) -> tuple[Curve, dict[str, Any]]:
    """Read a curve and what was said about it."""
    arrays, about = load_arrays(path), read_meta(path)
    return Curve(arrays["lr"], arrays["momentum"], about.pop("steps_per_epoch")), about


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return the number of whole batches in an epoch; the short last batch is dropped."""
    return images // batch_size
