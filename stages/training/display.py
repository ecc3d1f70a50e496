"""What is seen of a run while it trains: a bar on a terminal, elsewhere a line a minute."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

REFRESH_SECONDS, LINE_SECONDS = 0.1, 60.0
Show = Callable[[str], None]


@contextmanager
def display(
    label: str, epochs: int, done: int, line: int, clock: Callable[[], float] = time.monotonic
) -> Iterator[Show]:
    """Yield what to call at the end of each epoch that follows `done`, with what to say of it.

    On a terminal the bar is on the line `line` of those that replicates share. Elsewhere there is
    no line in the first minute, and at most one in each that follows.
    """
    if not sys.stderr.isatty():
        yield _lines(label, epochs, done, clock)
        return
    with tqdm(
        total=epochs,
        initial=done,
        desc=label,
        position=line,
        leave=False,
        dynamic_ncols=True,
        mininterval=REFRESH_SECONDS,
        bar_format="{desc}: epoch {n_fmt}/{total_fmt}{postfix}, {remaining} left",
    ) as bar:

        def show(text: str) -> None:
            bar.set_postfix_str(text, refresh=False)
            bar.update()

        yield show


def _lines(label: str, epochs: int, done: int, clock: Callable[[], float]) -> Show:
    ended, said = done, clock()

    def show(text: str) -> None:
        nonlocal ended, said
        ended += 1
        if clock() - said >= LINE_SECONDS:
            said = clock()
            print(f"{label}: epoch {ended}/{epochs}, {text}", file=sys.stderr, flush=True)

    return show
