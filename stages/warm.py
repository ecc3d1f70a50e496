"""The warm process of a DVC run: it has imported the libraries of stages, and forks them.

It computes nothing and holds no code of a stage: that is read anew after the fork. It ends with its
DVC.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from stages import watch

LIBRARIES = (
    "annotated_types",
    "numpy.random",
    "psutil",
    "pydantic.main",
    "pydantic.types",
    "pydantic_core",
    "safetensors.numpy",
    "torch",
    "torch_pruning",
    "tqdm",
    "typer",
    "yaml",
)
"""What the stages that stages/launch.py starts import, as deep: `import pydantic` loads little."""
SECONDS = 1.0


def main() -> None:
    """Serve at a listening socket, given by descriptor and path, while DVC's process lives."""
    descriptor, path, dvc = sys.argv[1:]
    if os.fork():
        os._exit(0)  # and its parent goes on
    for library in LIBRARIES:
        importlib.import_module(library)
    os.dup2(1, 2)  # let go of the first stage's standard error, which got the imports' warnings
    gc.collect()
    gc.freeze()
    serve(socket.socket(fileno=int(descriptor)), Path(path), psutil.Process(int(dvc)))


def serve(listener: socket.socket, path: Path, dvc: psutil.Process) -> None:
    """Give every connection a process that keeps its stage."""
    listener.settimeout(SECONDS)
    while path.exists() and watch.alive(dvc):
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            _forked(partial(keep, listener, connection))
            connection.close()
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
    path.unlink(missing_ok=True)


def keep(listener: socket.socket, connection: socket.socket) -> int:
    """Run the stage that the client asks for, in the client's process group; tell its exit code.

    The stage ends when the client does. Its replicates hold the pipe too: all are gone at its end.
    """
    listener.close()
    _, descriptors, _, _ = socket.recv_fds(connection, 1, 3)
    client = connection.makefile("rw")
    request = json.loads(client.readline())
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.setpgid(0, request["group"])
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    print(file=client, flush=True)
    gone, writer = os.pipe()
    stage = _forked(partial(become, request, os.getpid()))
    os.close(writer)
    ready, _, _ = select.select([connection.fileno(), gone], [], [])
    if gone not in ready:
        os.kill(stage, signal.SIGKILL)
    _, status = os.waitpid(stage, 0)
    print(os.waitstatus_to_exitcode(status), file=client, flush=True)
    return 0


def become(request: dict[str, Any], keeper: int) -> int:
    """Run a stage in this process as `python -m` would; return its exit code."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    watch.end_with_parent(keeper)
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]
    for name in [name for name in sys.modules if name.split(".")[0] == "stages"]:
        del sys.modules[name]
    importlib.invalidate_caches()
    sys.argv[1:] = request["arguments"]
    code = _ended(request["stage"])
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def _ended(stage: str) -> int:
    try:
        runpy.run_module(f"stages.{stage}", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if isinstance(end.code, int | None):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _forked(run: Callable[[], int]) -> int:
    """Return the number of a new process, which exits with what `run()` returns, at once.

    To tear the libraries down would take a third of a second.
    """
    process = os.fork()
    if process == 0:
        code = 1
        try:
            code = run()
        finally:
            os._exit(code)
    return process


if __name__ == "__main__":
    main()
