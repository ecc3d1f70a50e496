"""The commands of stages as processes of this machine, each in a process group of its own."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM
from threading import Timer

from stages.runner import leash
from stages.runner.dvc.pipeline import Command
from stages.runner.forks import Forks
from stages.runner.slots import Slot

GO = 'read go && exec "$@" </dev/null'
"""What a shell does: a command starts when the leash knows of it, or the runner's end ends it."""


class Local:
    """Starts processes; where there are `forks`, commands of Python are forked, which is faster."""

    def __init__(self, forks: Forks | None = None) -> None:
        self._forks = forks
        self._stopped = 0
        self._groups: set[int] = set()
        self._leash = subprocess.Popen(
            [sys.executable, "-I", leash.__file__],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, command: Command, slot: Slot, log: Path) -> int:
        """Run a command to its end; a Place."""
        code = 1
        for call in command.calls:
            code = self._run(call, command, log)
            if code or self._stopped:
                break
        return code

    def stop(self, number: int) -> None:
        """Signal all groups; kill what is left of them after a while."""
        again, self._stopped = self._stopped, number
        leash.send(list(self._groups), number)
        if not again:
            timer = Timer(leash.GRACE, lambda: leash.send(list(self._groups), SIGKILL))
            timer.daemon = True
            timer.start()

    def close(self) -> None:
        """Kill whatever still runs; end the leash and the process that forks."""
        leash.send(list(self._groups), SIGKILL)
        if self._forks:
            self._forks.close()
        assert self._leash.stdin is not None
        self._leash.stdin.close()
        self._leash.wait()

    def _run(self, call: list[str], command: Command, log: Path) -> int:
        forked = self._forks and self._forks.start(call, command, log)
        process = forked or _held(call, command, log)
        self._groups.add(process.pid)
        self._tell(f"+{process.pid}")
        if isinstance(process, subprocess.Popen):  # a forked one ends with the process that forks
            _let_go(process)
        if self._stopped:  # between the last look and this start
            leash.send([process.pid], SIGTERM)
        code = process.wait()
        if self._stopped:
            leash.await_end({process.pid})
        elif code:  # or what a killed process started would go on beside the next attempt
            leash.send([process.pid], SIGKILL)
        self._groups.discard(process.pid)
        self._tell(f"-{process.pid}")
        return code

    def _tell(self, line: str) -> None:
        assert self._leash.stdin is not None
        with suppress(OSError):  # without its leash the runner runs on
            os.write(self._leash.stdin.fileno(), f"{line}\n".encode())


def _held(call: list[str], command: Command, log: Path) -> "subprocess.Popen[bytes]":
    """Start a shell that waits for a line, and then becomes what is called."""
    with log.open("ab") as file:
        return subprocess.Popen(
            ["/bin/sh", "-c", GO, "sh", *call],
            cwd=command.folder,
            env=command.environment,
            stdin=subprocess.PIPE,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _let_go(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdin is not None
    with suppress(OSError), process.stdin as line:  # unless it was told to stop
        line.write(b"\n")
