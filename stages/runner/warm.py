"""A process that forks the commands of Python, with the libraries imported that they need.

Each line of its standard input is a request, JSON with `id`, `words` (of the command, from `-m` or
the script on), `folder`, `environment` and `log`. It answers in lines of JSON: `ready` once, `id`
and `pid` of what it started (null: it cannot fork safely), `id` and `code` of what ended.

It imports none of the project's code, only libraries that commands before have imported: these
leave the names in the file that is its one argument. It uses the standard library alone and is run
by its path.
"""

import atexit
import builtins
import ctypes
import gc
import io
import json
import os
import runpy
import selectors
import signal
import sys
import sysconfig
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

LIBRARIES = tuple(f"{sysconfig.get_path(kind)}{os.sep}" for kind in ("purelib", "platlib"))


def main(known: Path) -> None:
    """Serve until standard input ends; in a forked process, run what was requested."""
    del sys.path[0]  # the folder of this file
    load(known)
    say(ready=True)
    request = serve(known)
    if request:
        loaded = set(sys.modules)
        take_place(request)
        atexit.register(learn, known, loaded)
        end(exit_code(request["words"]), loaded)


def serve(known: Path) -> Mapping[str, Any] | None:
    """Fork a process for each request, and return the request there; at the end, return None."""
    running: dict[int, int] = {}
    for line in events():
        if line is None:
            for child, code in ended(running):
                say(id=running.pop(child), code=code)
            continue
        request = json.loads(line)
        load(known)
        gc.freeze()  # or a forked process would copy all that collecting garbage looks at
        pid: int | None = os.fork() if single() else None
        if pid == 0:
            return dict(request)
        if pid:
            running[pid] = request["id"]
            with suppress(OSError):  # it does so itself; who knows its number may signal its group
                os.setpgid(pid, pid)
        say(id=request["id"], pid=pid)
    return None


def events() -> Iterator[bytes | None]:
    """Yield the lines of standard input as they come, and None whenever a child has ended."""
    awake, wake = os.pipe()
    for end in (awake, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    rest = b""
    with selectors.DefaultSelector() as selector:
        for end in (sys.stdin.fileno(), awake):
            selector.register(end, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                data = os.read(key.fd, 1 << 16)
                if key.fd == awake:
                    yield None
                elif data:
                    *lines, rest = (rest + data).split(b"\n")
                    yield from lines
                else:
                    return


def ended(running: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the number and exit code of every process that has ended."""
    for pid in list(running):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            yield pid, os.waitstatus_to_exitcode(status)


def say(**words: Any) -> None:
    """Write a line to the runner."""
    print(json.dumps(words), flush=True)


def single() -> bool:
    """Whether this process has one thread: others, and the locks they hold, survive no fork."""
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208


def take_place(request: Mapping[str, Any]) -> None:
    """Become a process of its own: group, signals, folder, environment, input and output."""
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, max(null, log) + 1)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])


def run(words: list[str]) -> None:
    """Do what `python WORDS` would."""
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if words[0] == "-m":
        sys.argv = words[1:]
        sys.path.insert(0, str(Path.cwd()))
        runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]
    else:
        sys.argv = words
        sys.path.insert(0, str(Path(words[0]).resolve().parent))
        main.__file__ = words[0]
        exec(compile(Path(words[0]).read_bytes(), words[0], "exec"), main.__dict__)


def exit_code(words: list[str]) -> int:
    """Do what `python WORDS` would; return its exit code."""
    try:
        run(words)
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            return (ending.code or 0) & 0xFF
        print(ending.code, file=sys.stderr)
        return 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def end(code: int, loaded: set[str]) -> NoReturn:
    """End as Python does, but for what it does to libraries, which takes half a second."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    opened = [each for each in gc.get_objects() if isinstance(each, io.IOBase)]  # since the fork
    for file in sorted(opened, key=depth):
        with suppress(Exception):
            file.close()
    for name in ["__main__", *(set(sys.modules) - loaded)]:
        sys.modules.pop(name, None)
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    ctypes.CDLL(None).fflush(None)
    os._exit(code)


def depth(file: io.IOBase) -> int:
    """Return how deep a layer lies: closed before those around it, it would lose what they hold."""
    layers = (io.TextIOWrapper,), (io.BufferedWriter, io.BufferedRandom), (io.FileIO,)
    return next((2 * n for n, kinds in enumerate(layers) if isinstance(file, kinds)), 1)


def load(known: Path) -> None:
    """Import the libraries of a file of names, those that are libraries and are there."""
    for name in names(known):
        if name not in sys.modules and is_library(name):
            with suppress(Exception):
                import_module(name)


def learn(known: Path, loaded: set[str]) -> None:
    """Add to a file the names of libraries that this process has imported."""
    here = dict(sys.modules)
    new = [name for name, module in here.items() if name not in loaded and from_library(module)]
    if new:
        aside = known.with_suffix(f".{os.getpid()}.tmp")
        aside.write_text("".join(f"{name}\n" for name in dict.fromkeys([*names(known), *new])))
        aside.replace(known)


def names(known: Path) -> list[str]:
    """Return the names in a file of libraries; none where there is no such file."""
    try:
        return known.read_text().split()
    except (OSError, ValueError):
        return []


def is_library(name: str) -> bool:
    """Whether a module would be imported from where libraries are installed."""
    try:
        spec = find_spec(name.partition(".")[0])
    except (ImportError, ValueError):
        return False
    return spec is not None and (spec.origin or "").startswith(LIBRARIES)


def from_library(module: ModuleType) -> bool:
    """Whether a module was imported from where libraries are installed."""
    return (getattr(module, "__file__", None) or "").startswith(LIBRARIES)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
