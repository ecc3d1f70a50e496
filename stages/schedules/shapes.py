"""Shapes between two values, and curves of two phases made of them.

Computed by Python's own `math`, as in torch's schedulers: numpy's cosine and power differ in the
last bits between processors, and an arm reruns when the bytes of its learning rates change.
"""

from collections.abc import Callable
from math import cos, pi

import numpy as np

from stages.schedules.rates import Values

Shape = Callable[[float, float, float], float]
"""shape(start, end, z): the value at the fraction z between the two ends, 0 <= z <= 1."""


def constant(start: float, end: float, z: float) -> float:
    """Stay at the start."""
    return start


def cosine(start: float, end: float, z: float) -> float:
    """Half a cosine wave (Loshchilov & Hutter 2017, eq. 5; torch's `_annealing_cos`)."""
    return end + (start - end) * ((1 + cos(pi * z)) / 2)


def linear(start: float, end: float, z: float) -> float:
    """Follow a straight line."""
    return end + (start - end) * (1 - z)


def exponential(start: float, end: float, z: float) -> float:
    """Change by one factor per step; both ends above 0."""
    return float(start * (end / start) ** z)


def polynomial(power: float) -> Shape:
    """Return the shape (1 - z)^power (torch's PolynomialLR)."""
    return lambda start, end, z: end + (start - end) * (1 - z) ** power


def rex(start: float, end: float, z: float) -> float:
    """Reflected exponential: (1 - z) / (1/2 + (1 - z)/2) (Chen 2022, REX)."""
    return end + (start - end) * ((1 - z) / (0.5 + 0.5 * (1 - z)))


def along(shape: Shape, start: float, end: float, z: Values) -> Values:
    """Return the shape's value at every z, float64 of z's length."""
    return np.array([shape(start, end, fraction) for fraction in z.tolist()], dtype=np.float64)


def rise_and_fall(
    ticks: int,
    joint: float,
    end: float,
    levels: tuple[float, float, float],
    shapes: tuple[Shape, Shape],
) -> Values:
    """Return a curve of two phases at the ticks 0, 1, ... (steps or epochs), float64[ticks].

    It goes from levels[0] at tick 0 to levels[1] at tick `joint` by shapes[0], and on to levels[2]
    at tick `end` by shapes[1]. Neither needs to be a whole number or within the curve: with `joint`
    at 0 the curve starts at levels[1], with `joint` below 0 within the second phase.
    """
    tick = np.arange(ticks, dtype=np.float64)
    rising, falling = tick[tick <= joint], tick[tick > joint]
    initial, peak, final = levels
    up = along(shapes[0], initial, peak, rising / joint if joint > 0 else np.ones_like(rising))
    down = along(shapes[1], peak, final, (falling - joint) / (end - joint))
    return np.concatenate([up, down])


def drops(ticks: int, at: list[int], factor: float) -> Values:
    """Return a factor per tick, float64[ticks]: times `factor` from each tick in `at` on."""
    count = np.searchsorted(np.sort(at), np.arange(ticks), side="right")
    return np.array([factor**n for n in range(len(at) + 1)], dtype=np.float64)[count]
