"""Small files that DVC reads several times for every stage, kept in memory while they are the same.

In a pipeline of 600 stages these reads take most of the time. Each class stands in for one function
of DVC, in this process alone, and leaves on disk what that function would.
"""

import os
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import deepcopy
from typing import Any

from dvc import dvcfile, rwlock
from dvc.dependency import param
from dvc.fs import LocalFileSystem
from dvc.utils.serialize import dump_yaml

State = tuple[int, int, int]


class Parameters:
    """Stands in for `dvc.dependency.param.read_param_file`: values of keys, while a file lasts."""

    def __init__(self) -> None:
        self._read = param.read_param_file
        self._states: dict[str, State] = {}
        self._found: dict[str, dict[Any, Any]] = {}

    def __call__(
        self, fs: Any, path: str, key_paths: Any = None, flatten: bool = False, **options: Any
    ) -> Any:
        """Return what DVC would: a copy, since DVC writes an object seen twice as an alias."""
        if options or not isinstance(fs, LocalFileSystem):
            return self._read(fs, path, key_paths, flatten, **options)
        state = state_of(path)
        if self._states.get(path) != state:
            self._states[path], self._found[path] = state, {}
        key = (tuple(key_paths or ()), flatten)
        if key not in self._found[path]:
            self._found[path][key] = self._read(fs, path, key_paths, flatten)
        return deepcopy(self._found[path][key])


class Parsed:
    """Stands in for `dvc.dependency.param.load_path`: the contents of a file, while it lasts."""

    def __init__(self) -> None:
        self._parse = param.load_path
        self._found: dict[str, tuple[State, Any]] = {}

    def __call__(self, path: str, fs: Any, **options: Any) -> Any:
        """Return what DVC would; it is not to be changed."""
        if options or not isinstance(fs, LocalFileSystem):
            return self._parse(path, fs, **options)
        state = state_of(path)
        if self._found.get(path, (None,))[0] != state:
            self._found[path] = (state, self._parse(path, fs))
        return self._found[path][1]


class LockFiles:
    """Stands in for `dvc.dvcfile.modify_yaml`: files are read again only when others wrote them.

    DVC writes into the file itself, which a kill cuts off; here the whole is written aside.
    """

    def __init__(self) -> None:
        self._modify = dvcfile.modify_yaml
        self._written: dict[str, tuple[State, Any]] = {}

    @contextmanager
    def __call__(self, path: str, fs: Any = None) -> Iterator[Any]:
        """Yield what a file holds, and write it as it is at the end."""
        kept = self._written.pop(path, None)
        if kept and os.path.exists(path) and kept[0] == state_of(path):  # noqa: PTH110
            data = kept[1]
            yield data
            with aside(path) as new:
                dump_yaml(new, data, fs=fs)
        else:
            with aside(path) as new, self._modify(new, fs=fs) as data:
                yield data
        self._written[path] = (state_of(path), data)

    def forget(self) -> None:
        """Read all files again when they are next modified."""
        self._written.clear()


class Rwlock:
    """Stands in for `dvc.rwlock._edit_rwlock`: the file is read and written once in a block.

    DVC edits it only under its lock of the repository; the block is what holds that lock.
    """

    def __init__(self) -> None:
        self._edit = rwlock._edit_rwlock
        self._stack: ExitStack | None = None
        self._locks: Any = None

    @contextmanager
    def __call__(self, *where: Any) -> Iterator[Any]:
        """Yield the locks, to be edited."""
        if self._stack is None:
            with self._edit(*where) as locks:
                yield locks
            return
        if self._locks is None:
            self._locks = self._stack.enter_context(self._edit(*where))
        self._locks.setdefault("read", defaultdict(list))  # DVC drops what is empty
        self._locks.setdefault("write", defaultdict(dict))
        yield self._locks

    @contextmanager
    def once(self) -> Iterator[None]:
        """Read the file at most once in the block, and write it at the end, however it ends."""
        self._stack = ExitStack()
        try:
            yield
        finally:
            self._finish()

    @contextmanager
    def directly(self) -> Iterator[None]:
        """Have every edit on disk at once, in a block within a block of `once`."""
        self._finish()
        try:
            yield
        finally:
            self._stack = ExitStack()

    def _finish(self) -> None:
        stack, self._stack, self._locks = self._stack, None, None
        if stack:
            stack.close()


@contextmanager
def aside(path: str) -> Iterator[str]:
    """Yield a copy of a file to edit, which takes its place when the block ends without error.

    One that a kill left is written over: DVC's lock of the repository is held.
    """
    folder, name = os.path.split(path)
    new = os.path.join(folder, f".{name}.tmp")  # noqa: PTH118
    if os.path.exists(path):  # noqa: PTH110
        shutil.copy(path, new)
    try:
        yield new
        with open(new, "rb") as file:  # noqa: PTH123
            os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(new)  # noqa: PTH108


def state_of(path: str) -> State:
    """Return what tells a file from itself after an edit, as DVC's own cache of hashes does."""
    found = os.stat(path)  # noqa: PTH116
    return found.st_ino, found.st_mtime_ns, found.st_size


def remember() -> tuple[LockFiles, Rwlock]:
    """Let DVC, in this process, use what is kept in memory."""
    if not isinstance(dvcfile.modify_yaml, LockFiles):
        param.load_path, param.read_param_file = Parsed(), Parameters()
        dvcfile.modify_yaml, rwlock._edit_rwlock = LockFiles(), Rwlock()
    return dvcfile.modify_yaml, rwlock._edit_rwlock
