"""Learning rate and momentum of every step of a run, as data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.pipeline.fault import Fault
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

    def part(self, first: int, last: int) -> "Rates":
        """Return the rates of the epochs from `first`, counted from 0, to before `last`."""
        steps = slice(first * self.steps_per_epoch, last * self.steps_per_epoch)
        return Rates(self.lr[steps], self.momentum[steps], self.steps_per_epoch)


def joined(parts: Sequence[Rates]) -> Rates:
    """Return rates one after the other, all of the same steps per epoch."""
    lr, momentum = ([getattr(part, name) for part in parts] for name in ("lr", "momentum"))
    return Rates(np.concatenate(lr), np.concatenate(momentum), parts[0].steps_per_epoch)


def save_rates(path: Path | str, rates: Rates) -> None:
    """Write rates as safetensors."""
    meta = {"steps_per_epoch": rates.steps_per_epoch}
    save_arrays(path, {"lr": rates.lr, "momentum": rates.momentum}, meta)


def load_rates(path: Path | str) -> Rates:
    """Read what `save_rates` wrote; a Fault when it is missing or damaged."""
    return rates_in(path, load_arrays(path), read_meta(path).get("steps_per_epoch"))


def rates_in(
    path: Path | str, arrays: Mapping[str, np.ndarray], steps_per_epoch: Any, least: int = 1
) -> Rates:
    """Return the rates among the arrays of a file; a Fault when they are no whole epochs.

    There are `least` or more.
    """
    lr, momentum = (np.asarray(arrays.get(name)) for name in ("lr", "momentum"))
    columns = lr.ndim == 1 and lr.dtype == momentum.dtype == np.float64
    if not columns or lr.shape != momentum.shape or type(steps_per_epoch) is not int:
        raise Fault(f"{path}: holds no learning rates and momenta")
    if steps_per_epoch < 1 or len(lr) < least or len(lr) % steps_per_epoch:
        raise Fault(f"{path}: {len(lr)} steps at {steps_per_epoch} per epoch are no whole epochs")
    return Rates(lr, momentum, steps_per_epoch)


def steps_per_epoch(images: int, batch_size: int) -> int:
    """Return the number of whole batches in an epoch; the short last batch is dropped."""
    return images // batch_size
