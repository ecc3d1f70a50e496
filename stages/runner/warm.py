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
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO

GRACE = 10.0
"""Seconds between asking what is left to stop and killing it."""
LIBRARIES = tuple(f"{sysconfig.get_path(kind)}{os.sep}" for kind in ("purelib", "platlib"))


def main(known: Path) -> None:
    """Serve until standard input ends; in a forked process, run what was requested."""
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder of this file
    given = dict(os.environ)
    with answers() as runner:
        load(known)
        say(runner, ready=True)
        request = serve(known, runner)
    if request:
        loaded = set(sys.modules)
        changed = {name: value for name, value in os.environ.items() if given.get(name) != value}
        take_place(request, changed)
        atexit.register(learn, known, loaded)
        end(exit_code(request["words"]), loaded)


def answers() -> TextIO:
    """Return standard output, and keep it from libraries, which may print when imported."""
    runner = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as null:  # noqa: PTH123
        os.dup2(null.fileno(), 1)
    return runner


def serve(known: Path, runner: TextIO) -> Mapping[str, Any] | None:
    """Fork a process for each request, and return the request there; at the end, return None."""
    running: dict[int, int] = {}
    for line in events():
        if line is None:
            for child, code in ended(running):
                say(runner, id=running.pop(child), code=code)
            continue
        request = json.loads(line)
        load(known)
        gc.freeze()  # or a forked process would copy all that collecting garbage looks at
        safe = single() and not shadows(request)
        pid = os.fork() if safe else None
        if pid == 0:
            return dict(request)
        if pid:
            running[pid] = request["id"]
            with suppress(OSError):  # it does so itself; who knows its number may signal its group
                os.setpgid(pid, pid)
        say(runner, id=request["id"], pid=pid)
    stop(running)
    return None


def stop(running: dict[int, int]) -> None:
    """End the processes that are left: the runner may have gone before it told its leash of one."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in running:
            with suppress(OSError):
                os.killpg(pid, number)
        deadline = time.monotonic() + GRACE
        while running and time.monotonic() < deadline:
            time.sleep(0.05)
            for child, _ in ended(running):
                del running[child]


def events() -> Iterator[bytes | None]:
    """Yield the lines of standard input as they come, and None whenever a child has ended."""
    awake, wake = os.pipe()
    for end in (awake, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    rest = b""
    try:
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
    finally:  # in a forked process too, which leaves this loop
        signal.set_wakeup_fd(-1)
        os.close(awake)
        os.close(wake)


def ended(running: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the number and exit code of every process that has ended."""
    for pid in list(running):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            yield pid, os.waitstatus_to_exitcode(status)


def say(runner: TextIO, **words: Any) -> None:
    """Write a line to the runner."""
    print(json.dumps(words), file=runner, flush=True)


def single() -> bool:
    """Whether this process has one thread: others, and the locks they hold, survive no fork."""
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208


def shadows(request: Mapping[str, Any]) -> bool:
    """Whether a command has modules of its own under names that are imported here."""
    folder = folder_of(request["words"], request["folder"])
    try:
        here = {name.partition(".")[0] for name in os.listdir(folder)}  # noqa: PTH208
    except OSError:
        return True
    loaded = here & {name.partition(".")[0] for name in sys.modules} - {"__main__"}
    specs = [PathFinder.find_spec(name, [folder]) for name in loaded]
    return any(spec and spec.loader for spec in specs)


def folder_of(words: list[str], folder: str) -> str:
    """Return where `python WORDS`, called in a folder, first looks for modules."""
    return str(Path(folder) if words[0] == "-m" else Path(folder, words[0]).resolve().parent)


def take_place(request: Mapping[str, Any], changed: Mapping[str, str]) -> None:
    """Become a process of its own: group, signals, folder, environment, input and output.

    `changed` is what libraries changed of the environment, as they would have in the command.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(request["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(log)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update({**request["environment"], **changed})
    renew_libraries()


def renew_libraries() -> None:
    """Let libraries find anew what they find when imported: random seeds, the current folder."""
    loaded: dict[str, Any] = dict(sys.modules)
    if "numpy.random" in loaded:
        loaded["numpy.random"].seed()  # or all commands would draw the same
    if "torch" in loaded:
        loaded["torch"].default_generator.seed()
    if "multiprocessing.process" in loaded:
        loaded["multiprocessing.process"].ORIGINAL_DIR = os.getcwd()  # noqa: PTH109


def run(words: list[str]) -> None:
    """Do what `python WORDS` would."""
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if "multiprocessing" in sys.modules:
        sys.modules["__mp_main__"] = main  # its name in processes that are spawned
    if not sys.flags.safe_path:
        sys.path.insert(0, folder_of(words, os.getcwd()))  # noqa: PTH109
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]
    else:
        sys.argv = words
        path = main.__file__ = str(Path.cwd() / words[0])
        main.__loader__ = SourceFileLoader("__main__", path)
        exec(compile(Path(path).read_bytes(), path, "exec"), main.__dict__)


def exit_code(words: list[str]) -> int:
    """Do what `python WORDS` would; return its exit code."""
    try:
        run(words)
    except SystemExit as ending:
        if ending.code is None or isinstance(ending.code, int):
            return (ending.code or 0) & 0xFF
        print(ending.code, file=sys.stderr)
        return 1
    except BaseException as error:
        trace = error.__traceback__ and error.__traceback__.tb_next
        error.__traceback__ = trace and trace.tb_next  # without the calls in this file
        sys.excepthook(type(error), error, error.__traceback__)
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
            with suppress(BaseException):  # some libraries exit where they are not wanted
                import_module(name)
    sys.stdout.flush()  # what they printed is nobody's output


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
