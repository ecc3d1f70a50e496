"""A contender in a process of its own that waits, warm, for its turns."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context, set_start_method
from multiprocessing.connection import Connection
from typing import Protocol

import torch

from stages.pipeline.fault import Fault
from tests.benchmarks.setting import Device
from tests.benchmarks.workload import Workload

CONTENDERS = [f"tests.benchmarks.{name}" for name in ("ours", "stock", "ceiling")]


class Contender(Protocol):
    """Something that trains or evaluates; each call returns the number of images it took."""

    def epoch(self) -> int:
        """Train an epoch."""

    def evaluation(self) -> int:
        """Evaluate the test images."""

    def arm(self) -> int:
        """Train all epochs, each followed by an evaluation of validation and test images."""


@dataclass(frozen=True)
class Task:
    """What a turn is: a call of the contender's method `kind`, `repeats` times."""

    workload: Callable[[], Workload]
    make: Callable[[Workload], Contender]
    kind: str
    device: Device
    repeats: int = 1


@dataclass(frozen=True)
class Turn:
    """Images taken from `start` to `end`, in seconds of a clock that all processes share."""

    images: int
    start: float
    end: float


class Child:
    """A process that makes a contender, warms it up, and then takes turns.

    It is forked from a process that has imported everything and computed nothing.
    """

    def __init__(self, name: str, task: Task) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(CONTENDERS)
        self.name = name
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, task), name=name)
        self.process.start()
        theirs.close()

    def begin(self) -> None:
        """Start a turn."""
        with suppress(BrokenPipeError):
            self.pipe.send(None)

    def end(self) -> Turn | None:
        """Wait for the turn to end; the first, without `begin`, is the warm-up and gives None."""
        try:
            answer = self.pipe.recv()
        except EOFError:
            self.process.join()
            raise Fault(f"{self.name}: its process ended ({self.process.exitcode})") from None
        if isinstance(answer, str):
            raise Fault(f"{self.name}: {answer}")
        return answer

    def close(self) -> None:
        """End the process."""
        self.pipe.close()
        self.process.join()


@contextmanager
def ready(tasks: Mapping[str, Sequence[Task]]) -> Iterator[dict[str, list[Child]]]:
    """Yield the children of each contender, all of them warm, and end them afterwards."""
    with ExitStack() as stack:
        children = {
            name: [stack.enter_context(closing(Child(name, task))) for task in group]
            for name, group in tasks.items()
        }
        for group in children.values():
            for child in group:
                child.end()
        yield children


def images_per_second(children: Sequence[Child]) -> float:
    """Let children take a turn at the same time; return their images by the time of them all."""
    for child in children:
        child.begin()
    turns = [turn for turn in (child.end() for child in children) if turn is not None]
    seconds = max(turn.end for turn in turns) - min(turn.start for turn in turns)
    return sum(turn.images for turn in turns) / seconds


def processors() -> int:
    """Return the number of processors that this process may use."""
    mine = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(mine(0)) if mine else os.cpu_count() or 1


def _serve(pipe: Connection, task: Task) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent closes the pipe
    set_start_method(None, force=True)  # loaders start their processes as they do by default
    try:
        work = getattr(task.make(task.workload()), task.kind)
        work()
    except Fault as fault:
        pipe.send(f"{fault}")
        return
    pipe.send(None)
    with suppress(EOFError, BrokenPipeError):
        while True:
            pipe.recv()
            pipe.send(_turn(work, task))


def _turn(work: Callable[[], int], task: Task) -> Turn:
    start = _now(task.device)
    images = sum(work() for _ in range(task.repeats))
    return Turn(images, start, _now(task.device))


def _now(device: Device) -> float:
    if device is Device.cuda:
        torch.cuda.synchronize()
    return time.monotonic()
