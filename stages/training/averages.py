"""The averages of weights that an arm's `average` can name.

An average is a function of the number of steps and its own options. It returns a coefficient for
each step: average += coefficient * (weights - average), after the update. A new one is one function
and one line here.
"""

from collections.abc import Callable
from typing import Annotated

import numpy as np
from pydantic import Field

from stages.schedules.rates import Values

Part = Annotated[float, Field(gt=0, le=1)]
"""A part of the run, above 0."""


def ema(total_steps: int, *, horizon: Part = 0.1) -> Values:
    """Exponential moving average with decay 1 - 1/(horizon * N), from the first step on.

    Its first value is the weights after step 1, as torch's AveragedModel has it, so that the
    pruned weights take no part.
    """
    coefficients = np.full(total_steps, 1 / max(1.0, horizon * total_steps))
    coefficients[0] = 1.0
    return coefficients


def swa(total_steps: int, *, last: Part = 0.25) -> Values:
    """The mean of the weights after each of the last steps (Izmailov et al. 2018), a part of N."""
    counted = max(1, round(last * total_steps))
    coefficients = np.ones(total_steps)
    coefficients[total_steps - counted :] = 1 / np.arange(1, counted + 1)
    return coefficients


AVERAGES: dict[str, Callable[..., Values]] = {"ema": ema, "swa": swa}
