"""A run of the study that can be watched and killed."""

import re
import subprocess
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from threading import Thread

import psutil

from tests.pipeline.project import Project
from tests.reliability.study import COMMANDS

STARTED = re.compile(r"^(?:Running stage '([^']+)'|run +(\S+) )")
ENDED = re.compile(r"^(?:ran|failed|stopped|restored) +(\S+)")
LOOK = 0.02


@dataclass
class Session:
    """A run: its process, what it says, and which stages run since when."""

    project: Project
    runner: str
    said: list[str] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.process: subprocess.Popen[str] = self.project.start(*COMMANDS[self.runner])
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()

    def seen(self, families: Collection[str]) -> list[str]:
        """Wait until stages of these families run, and return them; none when the run ends."""
        while self.alive():
            found = [name for name in list(self.running) if family_of(name) in families]
            if found:
                return found
            time.sleep(LOOK)
        return []

    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self, seconds: float) -> bool:
        """Wait for the end of the process itself; whether it came."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def finish(self) -> int:
        """Return the exit code of a run that nobody disturbs any more."""
        code = self.process.wait()
        self._listener.join(5)
        return code

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := STARTED.match(line):
                if self.runner == "dvc":
                    self._settle(*self.running)
                self.running[found[1] or found[2]] = time.monotonic()
            elif found := ENDED.match(line):
                self._settle(found[1])
        self._settle(*self.running)

    def _settle(self, *names: str) -> None:
        for name in names:
            if name in self.running:
                self.seconds[name] = time.monotonic() - self.running.pop(name)


def family_of(stage: str) -> str:
    """Return the name of a stage without its matrix items."""
    return stage.partition("@")[0]


def workers(project: Project) -> Iterator[psutil.Process]:
    """Yield the processes that belong to the project, by their folder."""
    folder = str(project.folder)
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd().startswith(folder):
                yield process
        except psutil.Error:
            continue
