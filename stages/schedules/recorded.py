"""The dense run's values of every step, cut, stretched or squeezed to an arm's budget."""

import numpy as np

from stages.pipeline.fault import Fault
from stages.schedules.rates import Values


def tail(values: Values, total_steps: int, steps_per_epoch: int) -> Values:
    """Return the last `total_steps` values; a Fault where there are fewer."""
    if total_steps > len(values):
        raise Fault(
            f"replay: {-(-total_steps // steps_per_epoch)} epochs, more than the dense run's "
            f"{len(values) // steps_per_epoch}; allowed: up to that, or curve: stretch"
        )
    return values[len(values) - total_steps :].copy()


def stretched(values: Values, total_steps: int) -> Values:
    """Return the values over another number of steps: step k of N takes value floor(k*M/N) of M."""
    return values[np.arange(total_steps) * len(values) // total_steps]


def squeezed(values: Values, total_steps: int) -> Values:
    """Return the values as Zimmer 2023 rescales them: step j of n takes value int(j*(M/n)) of M.

    Values before the first maximum, the dense run's own warm-up, are replaced by the maximum.
    """
    plateau = values.copy()
    plateau[: int(np.argmax(values))] = values.max()
    index = (np.arange(total_steps) * (len(values) / total_steps)).astype(np.int64)
    return plateau[np.minimum(index, len(values) - 1)]
