"""The commands of stages that run now; each stage's output goes to a log file."""

import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from signal import SIGKILL, SIGTERM
from threading import Thread
from typing import Protocol

from stages.pipeline.cores import RUNNER
from stages.runner.dvc.pipeline import Command
from stages.runner.slots import Slot


class Place(Protocol):
    """Where commands run."""

    def run(self, command: Command, slot: Slot, log: Path) -> int:
        """Run the calls of a stage's command, one after another until one fails.

        Appends their output to `log` and returns the exit code of the last; an OSError if one
        cannot start. Called in a thread of its own; after `stop` it returns soon.
        """

    def stop(self, number: int) -> None:
        """Signal all that runs, and see to it that it ends; a signal's handler calls this."""

    def close(self) -> None:
        """End whatever still runs."""


@dataclass(frozen=True)
class Ended:
    """A stage whose commands ended: its exit code and its time, in seconds."""

    name: str
    code: int
    seconds: float


class Workers:
    """What runs now. A thread waits for each stage; results come through `wait`."""

    def __init__(self, place: Place) -> None:
        self.running: dict[str, Slot] = {}
        self.stopped = 0
        self._place = place
        self._ended: SimpleQueue[Ended | None] = SimpleQueue()

    def start(self, name: str, command: Command, slot: Slot, log: Path) -> None:
        """Run the command of a stage."""
        self.running[name] = slot
        variables = {**command.environment, **slot.variables, RUNNER: "1"}
        told = replace(command, environment=variables)
        Thread(target=self._run, args=(name, told, slot, log), daemon=True).start()

    def wait(self, seconds: float | None) -> list[Ended]:
        """Return the stages that ended, after at most so many seconds or when told to stop."""
        found: list[Ended | None] = []
        with suppress(Empty):
            found.append(self._ended.get(timeout=seconds))
            while True:
                found.append(self._ended.get_nowait())
        ended = [each for each in found if each]
        for each in ended:
            self.running.pop(each.name).give_back()
        return ended

    def stop(self, number: int) -> None:
        """Ask all commands to stop and start no more; the second time, kill them.

        A signal's handler: it interrupts `wait`, and only that thread.
        """
        again, self.stopped = bool(self.stopped), self.stopped or number
        self._place.stop(SIGKILL if again else SIGTERM)
        self._ended.put(None)

    def close(self) -> None:
        """End whatever still runs."""
        self._place.close()

    def _run(self, name: str, command: Command, slot: Slot, log: Path) -> None:
        began, code = time.monotonic(), 1
        try:
            log.write_bytes(b"")
            code = self._place.run(command, slot, log)
        except OSError as error:
            with suppress(OSError):
                log.write_text(f"{error}\n")
        self._ended.put(Ended(name, code, time.monotonic() - began))
