"""Runs the command of a stage on a node of a cluster, and ends it when its worker there is gone.

The first line of its standard input is a request, JSON with `calls`, `folder`, `environment`,
`log`, `outputs`, `lock` and `token`. It appends to the log, and prints the exit code of the last
call or why it cannot run, as JSON. `stop` on its standard input asks the command to stop; when that
closes, the command's process group is killed. The file `lock` is held for as long as that lives.

It uses the standard library alone and is run by its source: a node may have the project elsewhere.
"""

import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

GRACE = 10.0
"""Seconds between asking a process group to stop and killing it."""
LOOK = 0.1
DEATH_SIGNAL, SUBREAPER = 1, 36
"""Numbers of Linux's prctl."""


def main() -> None:
    """Do what is requested, in a process that Ray does not know as a child of its worker."""
    with open(0, "rb", buffering=0, closefd=False) as file:
        line = file.readline()
    if not line or os.fork():
        return
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # Ray blocks signals for its children
    prctl(SUBREAPER, 1)
    with suppress(BrokenPipeError):
        print(json.dumps(answer(json.loads(line))), flush=True)


def answer(request: Mapping[str, Any]) -> int | str:
    """Return the exit code of a stage's command, or why it cannot run here."""
    if not sees(request):
        return (
            f"node {socket.gethostname()} does not see the workspace of {request['folder']}: "
            "the nodes of a cluster must share its file system"
        )
    try:
        with open(request["lock"], "r+") as lock:  # noqa: PTH123
            return run(request) if take(lock) else -signal.SIGTERM
    except OSError as error:
        return f"{error}"


def sees(request: Mapping[str, Any]) -> bool:
    """Whether the lock file here is the one that the runner wrote, not one of another copy."""
    with suppress(OSError, ValueError):
        return bool(Path(request["lock"]).read_text() == request["token"])
    return False


def take(lock: IO[str]) -> bool:
    """Lock a file once an earlier attempt at the stage is gone; False when told not to wait."""
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if select.select([0], [], [], LOOK)[0]:
                return False
        else:
            return True


def run(request: Mapping[str, Any]) -> int:
    """Remove what an earlier attempt left, then run the calls until one fails."""
    for path in map(Path, request["outputs"]):
        remove(path)
    awake = children()
    code, stopped = 1, False
    with open(request["log"], "ab") as log:  # noqa: PTH123
        for call in request["calls"]:
            process = subprocess.Popen(
                call,
                cwd=request["folder"],
                env=request["environment"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: prctl(DEATH_SIGNAL, signal.SIGKILL),
            )
            stopped = watch(process, awake)
            code = process.returncode
            if code or stopped:
                break
    return code


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def children() -> int:
    """Return a file that can be read from whenever a child has ended."""
    awake, wake = os.pipe()
    for end in (awake, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    return awake


def watch(process: "subprocess.Popen[bytes]", awake: int) -> bool:
    """Wait for a process; if told to stop it, for its whole group; return whether told."""
    sources, deadline = [0, awake], None
    while process.poll() is None or (deadline is not None and is_there(process.pid)):
        ready, _, _ = select.select(sources, [], [], None if deadline is None else LOOK)
        if awake in ready:
            os.read(awake, 1 << 10)
        if 0 in ready:
            asked = bool(os.read(0, 1 << 10))
            sources = sources if asked else [awake]
            deadline = time.monotonic() + GRACE * asked
            send(process.pid, signal.SIGTERM if asked else signal.SIGKILL)
        elif deadline is not None and time.monotonic() > deadline:
            send(process.pid, signal.SIGKILL)
    return deadline is not None


def is_there(group: int) -> bool:
    """Whether a process of a group lives whose leader has ended; its orphans are children here."""
    with suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    return send(group, 0)


def send(group: int, number: int) -> bool:
    """Send a signal to a process group; whether it was there."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, where the system is Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
