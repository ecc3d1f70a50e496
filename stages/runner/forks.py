"""Commands of Python, forked from a process that has the libraries imported (warm.py)."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from signal import SIGKILL
from threading import Lock, Thread
from typing import Any

from stages.runner import leash, warm
from stages.runner.dvc.pipeline import Command

SPECIAL = set("|&;<>()$`*?[]{}~#!\n\\")
"""What a shell would not pass on as it is."""


@dataclass
class Forked:
    """A forked process, like a Popen: its number, and a way to wait for its exit code."""

    pid: int
    answers: "SimpleQueue[dict[str, Any]]"

    def wait(self) -> int:
        """Return its exit code when it has ended."""
        return int(self.answers.get()["code"])


@dataclass
class Forks:
    """Starts the process that forks at the first command of Python; until it is ready, does not.

    `known` is the file in which commands leave the names of the libraries that they imported.
    """

    known: Path
    _server: "subprocess.Popen[bytes] | None" = None
    _early: dict[str, str] = field(default_factory=dict)
    _ready: bool = False
    _lock: Lock = field(default_factory=Lock)
    _numbers: "count[int]" = field(default_factory=count)
    _answers: dict[int, "SimpleQueue[dict[str, Any]]"] = field(default_factory=dict)

    def start(self, call: list[str], command: Command, log: Path) -> Forked | None:
        """Fork what runs a call of a command; None where it cannot be forked."""
        words = python_words(call, command.environment)
        if not words or sys.platform != "linux" or not is_code(words, command.folder):
            return None
        if not self._serves(command):
            return None
        number, answers = next(self._numbers), SimpleQueue[dict[str, Any]]()
        self._answers[number] = answers
        request = {
            "id": number,
            "words": words,
            "folder": command.folder,
            "environment": command.environment,
            "log": str(log.absolute()),
        }
        if not self._ready or not self._ask(request):
            return None
        pid = answers.get().get("pid")
        return Forked(pid, answers) if pid else None

    def close(self) -> None:
        """End the process that forks."""
        if self._server:
            assert self._server.stdin is not None
            self._server.stdin.close()
            self._server.wait()

    def _serves(self, command: Command) -> bool:
        with self._lock:
            if self._server is None:
                self._early = early(command)
                self._server = subprocess.Popen(
                    [sys.executable, warm.__file__, str(self.known)],
                    cwd=command.folder,
                    env=command.environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # what libraries say when they are imported
                    start_new_session=True,
                )
                Thread(target=self._listen, args=(self._server,), daemon=True).start()
        return self._ready and early(command) == self._early

    def _ask(self, request: Mapping[str, Any]) -> bool:
        assert self._server is not None
        assert self._server.stdin is not None
        line = f"{json.dumps(request)}\n".encode()
        try:
            with self._lock:
                self._server.stdin.write(line)
                self._server.stdin.flush()
        except OSError:
            return False
        return True

    def _listen(self, server: "subprocess.Popen[bytes]") -> None:
        """Hand every answer to the thread that waits for it; when none can come, end all."""
        pids: dict[int, int] = {}
        assert server.stdout is not None
        for line in server.stdout:
            answer = json.loads(line)
            if answer.get("ready"):
                self._ready = True
                continue
            pids[answer["id"]] = answer.get("pid") or pids.get(answer["id"], 0)
            self._answers[answer["id"]].put(answer)
            if "code" in answer or not answer["pid"]:
                del self._answers[answer["id"]], pids[answer["id"]]
        self._ready = False
        leash.send([pid for pid in pids.values() if pid], SIGKILL)
        for answers in list(self._answers.values()):
            answers.put({"code": -SIGKILL})


def python_words(call: list[str], environment: Mapping[str, str]) -> list[str]:
    """Return the words after `python` of a call that runs this Python on a module or script.

    The call is a shell's; where the shell has more to do than split it into words, there are none.
    """
    line = call[-1].strip()
    if call[-2:-1] != ["-c"] or SPECIAL & set(line):
        return []
    try:
        python, *words = shlex.split(line)
    except ValueError:
        return []
    runs = bool(words) and (words[0] == "-m" if words[0].startswith("-") else True)
    if not runs or words == ["-m"] or not is_this_python(python, environment.get("PATH")):
        return []
    return words


def is_this_python(word: str, path: str | None) -> bool:
    """Whether a command is the Python that runs this, with the same libraries."""
    found = shutil.which(word, path=path)
    if not found:
        return False
    folders = {os.path.realpath(os.path.dirname(each)) for each in (found, sys.executable)}  # noqa: PTH120
    of_environment = sys.prefix != sys.base_prefix  # which has one Python, under several names
    return len(folders) == 1 and (of_environment or os.path.samefile(found, sys.executable))  # noqa: PTH121


def is_code(words: list[str], folder: str) -> bool:
    """Whether the words after `python` name a module, or a script that is there."""
    return words[0] == "-m" or (words[0].endswith(".py") and Path(folder, words[0]).is_file())


def early(command: Command) -> dict[str, str]:
    """Return the variables that are read when Python or a library starts.

    The folder is one where the search path for modules starts from it.
    """
    found = {
        name: value
        for name, value in command.environment.items()
        if name.startswith(("PYTHON", "LD_")) or name.endswith("_NUM_THREADS")
    }
    paths = found.get("PYTHONPATH", os.sep).split(os.pathsep)
    return found if all(map(os.path.isabs, paths)) else {**found, "PWD": command.folder}
