"""How many replicates run at a time."""

import os
from math import ceil

from stages.pipeline.cores import Cores, shared, side_by_side


def workers(threads: int, devices: int = 1) -> int:
    """Return the most replicates at a time; a process of theirs has `threads` threads.

    One of several devices runs alone, where AFTERPRUNE_WORKERS does not say otherwise: it has all
    GPUs, and the stage must not ask for GPUs before it forks.
    """
    asked = side_by_side()
    if asked is not None:
        return asked
    if devices > 1:
        return 1
    mine = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return max(1, (len(mine(0)) if mine else os.cpu_count() or 1) // threads)


class Room:
    """Room for replicates, each of a process for every device: workers, and cores to share.

    Under `afterprune run` a stage has the cores of one replicate, and takes more for others.
    """

    def __init__(self, threads: int, devices: int) -> None:
        self.cores = shared()
        self._most = workers(threads, devices)
        self._devices, self._threads = devices, threads
        self._taken: list[list[int]] = []

    def take(self, processes: int) -> bool:
        """Whether there was room for one more beside those of so many processes; it is taken."""
        running = ceil(processes / self._devices)
        if running >= self._most:
            return False
        if self.cores is None or running == 0:
            return True
        wanted = self._threads * self._devices
        taken = self.cores.take(wanted)
        if len(taken) < wanted:
            Cores.give(taken)
            return False
        self._taken.append(taken)
        return True

    def leave(self, processes: int) -> None:
        """Give back what so many processes do not need."""
        while len(self._taken) > max(0, ceil(processes / self._devices) - 1):
            Cores.give(self._taken.pop())
