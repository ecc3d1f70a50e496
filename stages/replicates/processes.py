"""Replicates side by side: one process a device, as many at a time as there is room for."""

import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import cloudpickle
from tqdm import tqdm

from stages.pipeline.fault import Fault
from stages.pipeline.machine import MAKE_ROOM, machine_faults
from stages.pipeline.watch import GRACE, end_with_parent, leaving_when_told
from stages.replicates.ranks import LEADER, Rank, joined, ranks_of
from stages.replicates.workers import Room

START = "fork" if sys.platform == "linux" else "spawn"
"""How processes start: a fork takes 0.04 s, a new Python 3 s; macOS has libraries that no fork
survives."""
LOOK = 0.2
"""Seconds after which a replicate that waits for cores looks for free ones again."""
Task = Callable[[int], None]


def run_replicates(task: Task, count: int, threads: int, devices: int = 1) -> None:
    """Call `task(i)` for replicate i = 0 .. count - 1, each in `devices` processes of its own.

    Where they are forked, torch must not have computed anything here before. `threads` is what
    one of them uses: with more workers than processors they would only wait for each other. The
    number of workers never changes a result; the environment variable AFTERPRUNE_WORKERS sets it.
    Under `afterprune run` more than one run side by side while cores are free. Raises the first
    Fault of a process, after stopping the others.
    """
    context: Any = multiprocessing.get_context(START)
    handed: Any = task if START == "fork" else _Portable(task)
    tqdm.get_lock()  # one for all replicates, whose bars share a terminal
    waiting = list(range(count))
    running: dict[Connection, BaseProcess] = {}
    room = Room(threads, devices)
    with _stopping(running), _meeting_place(devices) as place:
        while waiting or running:
            while waiting and room.take(len(running)):
                number = waiting.pop(0)
                for rank in ranks_of(devices, Path(place, f"{number}")):
                    reader, writer = context.Pipe(duplex=False)
                    running[reader] = context.Process(
                        target=_work,
                        args=(handed, number, rank, writer, os.getpid()),
                        name=_name(number, rank),
                    )
                    running[reader].start()
                    writer.close()
            ready = wait(list(running), LOOK if waiting and room.cores else None)
            for reader in [reader for reader in running if reader in ready]:
                _finish(running.pop(reader), reader)
            room.leave(len(running))


@dataclass(frozen=True)
class _Portable:
    """A task on its way to a new Python: settings have types that are made at run time."""

    task: Task

    def __reduce__(self) -> tuple[Callable[[bytes], Task], tuple[bytes]]:
        """Arrive there as the task itself."""
        return cloudpickle.loads, (cloudpickle.dumps(self.task),)


@contextmanager
def _stopping(running: Mapping[Connection, BaseProcess]) -> Iterator[None]:
    """Stop what is still running when the block ends: it saves its progress first."""
    try:
        yield
    finally:
        for process in running.values():
            process.terminate()
        deadline = time.monotonic() + GRACE
        for process in running.values():
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            process.join()


def _meeting_place(devices: int) -> AbstractContextManager[str]:
    return tempfile.TemporaryDirectory() if devices > 1 else nullcontext("")


def _name(replicate: int, rank: Rank) -> str:
    return f"replicate {replicate}" + (f", device {rank.number}" if rank.devices > 1 else "")


def _work(task: Task, replicate: int, rank: Rank, writer: Connection, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its replicates
    end_with_parent(parent)
    try:
        with _leaving(rank), machine_faults(), joined(rank):
            task(replicate)
    except Fault as fault:
        writer.send(f"{fault}")
    else:
        writer.send(None)


@contextmanager
def _leaving(rank: Rank) -> Iterator[None]:
    """Let the leader save before it leaves; the others have nothing to save, and just end."""
    if rank.number == LEADER:
        with leaving_when_told():
            yield
    else:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        yield


def _finish(process: BaseProcess, reader: Connection) -> None:
    try:
        message = reader.recv()
    except EOFError:
        process.join()
        message = f"{process.name}: its process ended with exit code {process.exitcode}"
        if process.exitcode == -signal.SIGKILL:
            message += f", killed, as the system does where memory is full; {MAKE_ROOM}"
    process.join()
    if message is not None:
        raise Fault(message)
