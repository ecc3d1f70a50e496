"""Replicates side by side: one process each, as many at a time as there are workers."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import cloudpickle
from tqdm import tqdm

from stages.pipeline.fault import Fault
from stages.pipeline.watch import end_with_parent

WORKERS = "AFTERPRUNE_WORKERS"
START = "fork" if sys.platform == "linux" else "spawn"
"""How processes start: a fork takes 0.04 s, a new Python 3 s; macOS has libraries that no fork
survives."""
Task = Callable[[int], None]


def run_replicates(task: Task, count: int, threads: int) -> None:
    """Call `task(i)` for replicate i = 0 .. count - 1, each in a process of its own.

    Where they are forked, torch must not have computed anything here before. `threads` is what
    one of them uses: with more workers than processors they would only wait for each other. The
    number of workers never changes a result; the environment variable AFTERPRUNE_WORKERS sets it.
    Raises the first Fault of a replicate, after stopping the others.
    """
    context: Any = multiprocessing.get_context(START)
    handed = task if START == "fork" else _Portable(task)
    tqdm.get_lock()  # one for all replicates, whose bars share a terminal
    waiting = list(range(count))
    running: dict[Connection, BaseProcess] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers(threads):
                reader, writer = context.Pipe(duplex=False)
                number = waiting.pop(0)
                running[reader] = context.Process(
                    target=_work,
                    args=(handed, number, writer, os.getpid()),
                    name=f"replicate {number}",
                )
                running[reader].start()
                writer.close()
            ready = wait(list(running))
            for reader in [reader for reader in running if reader in ready]:
                _finish(running.pop(reader), reader)
    finally:
        for process in running.values():
            process.terminate()
            process.join()


def workers(threads: int) -> int:
    """Return how many processes of `threads` threads run at a time."""
    text = os.environ.get(WORKERS)
    if text is None:
        mine = getattr(os, "sched_getaffinity", None)  # Linux alone has it
        return max(1, (len(mine(0)) if mine else os.cpu_count() or 1) // threads)
    if not text.isdecimal() or int(text) < 1:
        raise Fault(f"{WORKERS} is {text!r}; it should be a whole number, 1 or more")
    return int(text)


@dataclass(frozen=True)
class _Portable:
    """A task on its way to a new Python: settings have types that are made at run time."""

    task: Task

    def __reduce__(self) -> tuple[Callable[[bytes], Task], tuple[bytes]]:
        """Arrive there as the task itself."""
        return cloudpickle.loads, (cloudpickle.dumps(self.task),)


def _work(task: Task, replicate: int, writer: Connection, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its replicates
    end_with_parent(parent)
    try:
        task(replicate)
    except Fault as fault:
        writer.send(f"{fault}")
    else:
        writer.send(None)


def _finish(process: BaseProcess, reader: Connection) -> None:
    try:
        message = reader.recv()
    except EOFError:
        process.join()
        message = f"{process.name}: its process ended with exit code {process.exitcode}"
    process.join()
    if message is not None:
        raise Fault(message)
