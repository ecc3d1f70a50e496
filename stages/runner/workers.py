"""The commands of stages: each in a process group of its own, its output in a log file."""

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from signal import SIGKILL, SIGTERM
from threading import Thread, Timer

from stages.runner import leash
from stages.runner.dvc.pipeline import Command


@dataclass(frozen=True)
class Ended:
    """A stage whose commands ended: its exit code and its time, in seconds."""

    name: str
    code: int
    seconds: float


class Workers:
    """What runs now. A thread waits for each stage; results come through `wait`."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.stopped = 0
        self._groups: set[int] = set()
        self._ended: SimpleQueue[Ended | None] = SimpleQueue()
        self._leash = subprocess.Popen(
            [sys.executable, "-I", leash.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def start(self, name: str, command: Command, log: Path) -> None:
        """Run the commands of a stage, one after another until one fails."""
        self.running.add(name)
        Thread(target=self._run, args=(name, command, log), daemon=True).start()

    def wait(self, seconds: float | None) -> list[Ended]:
        """Return the stages that ended, after at most so many seconds or when told to stop."""
        found: list[Ended | None] = []
        with suppress(Empty):
            found.append(self._ended.get(timeout=seconds))
            while True:
                found.append(self._ended.get_nowait())
        ended = [each for each in found if each]
        self.running -= {each.name for each in ended}
        return ended

    def stop(self, number: int) -> None:
        """Ask all commands to stop and start no more; the second time, kill them.

        A signal's handler: it interrupts `wait`, and only that thread.
        """
        leash.send(list(self._groups), SIGKILL if self.stopped else SIGTERM)
        if not self.stopped:
            timer = Timer(leash.GRACE, lambda: leash.send(list(self._groups), SIGKILL))
            timer.daemon = True
            timer.start()
        self.stopped = self.stopped or number
        self._ended.put(None)

    def close(self) -> None:
        """End whatever still runs, and the leash."""
        leash.send(list(self._groups), SIGKILL)
        assert self._leash.stdin is not None
        self._leash.stdin.close()
        self._leash.wait()

    def _run(self, name: str, command: Command, log: Path) -> None:
        began, code = time.monotonic(), 1
        try:
            with log.open("wb") as file:
                for call in command.calls:
                    code = self._call(call, command, file.fileno())
                    if code or self.stopped:
                        break
        except OSError as error:
            log.write_text(f"{error}\n")
        self._ended.put(Ended(name, code, time.monotonic() - began))

    def _call(self, call: list[str], command: Command, log: int) -> int:
        """Run one command to its end and return its exit code."""
        process = subprocess.Popen(
            call,
            cwd=command.folder,
            env=command.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._groups.add(process.pid)
        self._tell(f"+{process.pid}")
        if self.stopped:  # between the last look and this start
            leash.send([process.pid], SIGTERM)
        code = process.wait()
        if self.stopped:
            leash.await_end({process.pid})
        self._groups.discard(process.pid)
        self._tell(f"-{process.pid}")
        return code

    def _tell(self, line: str) -> None:
        assert self._leash.stdin is not None
        with suppress(OSError):  # without its leash the runner runs on
            os.write(self._leash.stdin.fileno(), f"{line}\n".encode())
