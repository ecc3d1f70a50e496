"""Run a stage, forked from a process that has the libraries: `python -m stages.launch STAGE ...`.

Importing torch takes longer than many a stage computes. The first stage that one DVC process runs
starts a server (stages/warm.py), from which it and those after it are forked. Where that cannot
be, a stage runs here, as by `python -m stages.STAGE`.
"""

import hashlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import psutil

from stages import watch

WARM = "AFTERPRUNE_WARM"
CHANGING = ("PWD", "OLDPWD", "SHLVL", "_")
STDIO = (0, 1, 2)


def main() -> None:
    """Run a stage and exit as it does, with 128 + N when signal N ended it."""
    if len(sys.argv) < 2:
        sys.exit("usage: python -m stages.launch STAGE [ARGUMENT ...]")
    _, stage, *arguments = sys.argv
    try:
        answers = _begun(stage, arguments)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    if answers is None:
        sys.argv[1:] = arguments
        runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the stage, of the same group, gets Ctrl-C itself
    code = _answered(answers)
    sys.exit(code if code >= 0 else 128 - code)


def _answered(answers: TextIO) -> int:
    with suppress(OSError):
        if line := answers.readline():
            return int(line)
    print(f"the process that kept this stage died; {WARM}=0 does without it", file=sys.stderr)
    return 1


def _begun(stage: str, arguments: list[str]) -> TextIO | None:
    """Begin a stage at the server; return where its exit code will come, None if it did not."""
    dvc = watch.dvc()
    plain = sys.orig_argv[1:3] == ["-m", "stages.launch"]
    if dvc is None or not plain or os.environ.get(WARM) == "0":
        return None
    watch.end_with(dvc)
    request = {
        "stage": stage,
        "arguments": arguments,
        "environment": dict(os.environ),
        "group": os.getpgrp(),
    }
    try:
        connection = _connected(dvc)
        socket.send_fds(connection, [b"\n"], STDIO)
        answers = connection.makefile("rw")
        print(json.dumps(request), file=answers, flush=True)
        if not answers.readline():
            return None
    except OSError:
        return None
    return answers


def _connected(dvc: psutil.Process) -> socket.socket:
    path = f"build/warm.{_inherited(dvc)}"
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        _start(path, dvc)
        connection.connect(path)
    return connection


def _inherited(dvc: psutil.Process) -> str:
    """Return a digest of what a server of this DVC and its stages have from their start."""
    mask = os.umask(0o077)
    os.umask(mask)
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in CHANGING and not name.startswith("DVC_")
    }
    whole = [dvc.pid, dvc.create_time(), sys.executable, sys.path, mask, environment]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


def _start(path: str, dvc: psutil.Process) -> None:
    """Start the server; what connects from now on waits until its libraries are loaded.

    When it dies before, connections break. Ctrl-C does not reach it: its process group is its own.
    """
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        Path(path).chmod(0o600)
        listener.listen()
        subprocess.run(
            [sys.executable, "-m", "stages.warm", f"{listener.fileno()}", path, f"{dvc.pid}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            process_group=0,
            check=False,
        )


if __name__ == "__main__":
    main()
