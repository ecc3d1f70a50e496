"""A momentum curve in a few characters."""

from collections.abc import Sequence


def in_brief(momentum: Sequence[float]) -> str:
    """Return the one momentum, the way down and up of a cycle, or the range of another curve."""
    first, low, high, last = momentum[0], min(momentum), max(momentum), momentum[-1]
    if high - low < 1e-9:
        return f"{high:.4g}"
    if low < min(first, last):
        return f"{first:.2f} → {low:.2f} → {last:.2f}"
    return f"{low:.2f} to {high:.2f}"
