"""The smallest of several networks that still passes, in as few trials as possible."""

from collections.abc import Callable


def last_that_passes(passes: Callable[[int], bool], number: int) -> int | None:
    """Return the last of the candidates 0 to `number` - 1 that passes; None where 0 does not.

    By bisection: what follows a candidate that fails is taken to fail, what precedes one that
    passes is taken to pass. Each trial is made once, and there are at most `most_trials`.
    """
    passed, failed = -1, number
    while failed - passed > 1:
        middle = (passed + failed) // 2
        if passes(middle):
            passed = middle
        else:
            failed = middle
    return passed if passed >= 0 else None


def most_trials(number: int) -> int:
    """The trials that bisection of so many candidates takes at most: ceil(log2(number + 1))."""
    return number.bit_length()
