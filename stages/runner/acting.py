"""What a forked process does to be the command of Python that it was forked for (see warm.py).

It uses the standard library alone and is loaded by its path.
"""

import atexit
import builtins
import ctypes
import gc
import io
import os
import runpy
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn


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


def run(words: list[str], first: str) -> None:
    """Do what `python WORDS` would, which first looks for modules in the folder `first`."""
    main = sys.modules["__main__"] = ModuleType("__main__")
    main.__dict__["__builtins__"] = builtins
    if "multiprocessing" in sys.modules:
        sys.modules["__mp_main__"] = main  # its name in processes that are spawned
    if not sys.flags.safe_path:
        sys.path.insert(0, first)
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]
    else:
        sys.argv = words
        path = main.__file__ = str(Path.cwd() / words[0])
        main.__loader__ = SourceFileLoader("__main__", path)
        code = compile(Path(path).read_bytes(), path, "exec")
        exec(code, main.__dict__)  # noqa: S102, as `python FILE` does


def exit_code(words: list[str], first: str) -> int:
    """Do what `run` does; return the exit code."""
    try:
        run(words, first)
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
