"""Learning rate and momentum of every step of a run, as data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stages.pipeline.files import load_arrays, read_meta, save_arrays

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Rates:
    """Learning rate and momentum of every step, each float64 [epochs * steps_per_epoch].

    The training loop takes both from here: nothing else sets a learning rate.
    """

    lr: Values
    momentum: Values
    steps_per_epoch: int

    @property
    def epochs(self) -> int:
        """Return the length in epochs."""
        return len(self.lr) // self.steps_per_epoch


def save_rates(path: Path | str, rates: Rates) -> None:
    """Write rates as safetensors."""
    meta = {"steps_per_epoch": rates.steps_per_epoch}
    save_arrays(path, {"lr": rates.lr, "momentum": rates.momentum}, meta)


def load_rates(path: Path | str) -> Rates:
    """Read what `save_rates` wrote; a Fault when it is missing or damaged."""
    arrays = load_arrays(path)
    return Rates(arrays["lr"], arrays["momentum"], read_meta(path)["steps_per_epoch"])


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return the number of whole batches in an epoch; the short last batch is dropped."""
    return images // batch_size
