"""A process that ends the runner's commands when the runner is gone, however it went.

It reads the numbers of process groups from its standard input, `+N` for one that started and `-N`
for one that ended, and ends those that are left when that closes. It uses the standard library
alone and is run by its path.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

GRACE = 10.0
"""Seconds between asking a process group to stop and killing it."""


def main() -> None:
    """Follow the runner to its end."""
    end(follow(sys.stdin))


def follow(lines: Iterable[str]) -> set[int]:
    """Return the process groups that started and did not end."""
    groups: set[int] = set()
    for line in lines:
        (groups.add if line.startswith("+") else groups.discard)(int(line[1:]))
    return groups


def end(groups: set[int], grace: float = GRACE) -> None:
    """Ask process groups to stop; kill what is left of them after `grace` seconds."""
    send(groups, signal.SIGTERM)
    await_end(groups, grace)


def await_end(groups: set[int], grace: float = GRACE) -> None:
    """Kill what is left of process groups after `grace` seconds."""
    deadline = time.monotonic() + grace
    while send(groups, 0) and time.monotonic() < deadline:
        time.sleep(0.1)
    send(groups, signal.SIGKILL)


def send(groups: Iterable[int], number: int) -> bool:
    """Send a signal to process groups; whether one of them was there."""
    found = False
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
            found = True
    return found


if __name__ == "__main__":
    main()
