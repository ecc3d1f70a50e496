"""What every mistake must come to: one line a fault, an exit code, and nothing done."""

import io
from collections.abc import Callable, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from stages.commands.__main__ import dispatch
from stages.pipeline.command import faults_in_one_line, run


class Ended(NamedTuple):
    """How a command line ended: its exit code, and the lines that it printed."""

    code: int
    out: list[str]
    err: list[str]


def call(app: typer.Typer, *words: str, name: str = "command") -> Ended:
    """Run an application in this process, by the same function as `python -m`."""
    return ended(partial(run, app, words, name))


def afterprune(*words: str) -> Ended:
    """Run `afterprune` in this process."""
    return ended(partial(dispatch, words))


def ended(command: Callable[[], None]) -> Ended:
    """Run a function that exits, and return how."""
    out, err = io.StringIO(), io.StringIO()
    with (
        redirect_stdout(out),
        redirect_stderr(err),
        pytest.raises(SystemExit) as end,
        faults_in_one_line(),
    ):
        command()
    code = end.value.code
    if isinstance(code, str):  # as Python itself does
        print(code, file=err)
        code = 1
    return Ended(code, out.getvalue().splitlines(), err.getvalue().splitlines())


def check(ended: Ended, *lines: str | Sequence[str]) -> None:
    """Assert that a command line was refused: a line for each of `lines`, which hold its parts."""
    assert ended.code in (1, 2), ended
    assert len(ended.err) == len(lines), "\n".join(ended.err)
    assert not any("Traceback" in line for line in ended.err)
    assert ended.out == []
    for parts in lines:
        parts = [parts] if isinstance(parts, str) else parts
        assert any(all(part in line for part in parts) for line in ended.err), (parts, ended.err)


@contextmanager
def nothing_done(folder: Path):
    """Assert that the block leaves all files of a folder as they are, and adds none."""
    before = files(folder)
    yield
    assert files(folder) == before


def files(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return what tells whether a file was written, for every path below a folder.

    What Python, git and DVC keep for themselves does not count.
    """
    return {
        str(path.relative_to(folder)): (path.lstat().st_ino, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
        if not {"__pycache__", ".dvc", ".git"} & {*path.parts} and not path.is_dir()
    }
