"""A process that forks the commands of Python, with the libraries imported that they need.

Each line of its standard input is a request, JSON with `id`, `words` (of the command, from `-m` or
the script on), `folder`, `environment` and `log`. It answers in lines of JSON: `ready` once, `id`
and `pid` of what it started (null: it cannot fork safely), `id` and `code` of what ended.

It imports none of the project's code, only libraries that commands before have imported: these
leave the names in the file that is its one argument. It uses the standard library alone and is run
by its path; what a forked process then does is in acting.py.
"""

import atexit
import gc
import json
import os
import select
import selectors
import signal
import sys
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TextIO

GRACE = 10.0
"""Seconds between asking what is left to stop and killing it."""
LOOK = 0.5
"""Seconds between looks at whether the runner is gone, while libraries are imported."""
LIBRARIES = tuple(f"{sysconfig.get_path(kind)}{os.sep}" for kind in ("purelib", "platlib"))


def main(known: Path) -> None:
    """Serve until standard input ends; in a forked process, run what was requested."""
    if not sys.flags.safe_path:
        del sys.path[0]  # the folder of this file
    acting = beside("acting")
    given = dict(os.environ)
    with answers() as runner:
        with leaving({}):
            load(known)
        say(runner, ready=True)
        request = serve(known, runner)
    if request:
        loaded = set(sys.modules)
        changed = {name: value for name, value in os.environ.items() if given.get(name) != value}
        first = folder_of(request["words"], request["folder"])
        acting.take_place(request, changed)
        atexit.register(learn, known, loaded)
        acting.end(acting.exit_code(request["words"], first), loaded)


def beside(name: str) -> Any:
    """Return a module of this folder, which commands do not find among those imported."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = spec_from_file_location(f"_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
        with leaving(running):
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


@contextmanager
def leaving(running: dict[int, int]) -> Iterator[None]:
    """End at the end of standard input also within the block, where nobody reads it for seconds.

    A timer looks, for a thread would survive no fork.
    """
    source = select.poll()
    source.register(sys.stdin.fileno(), 0)  # its end is reported unasked

    def look(*_: object) -> None:
        if source.poll(0):
            signal.setitimer(signal.ITIMER_REAL, 0)
            stop(running)
            os._exit(0)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, LOOK, LOOK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
