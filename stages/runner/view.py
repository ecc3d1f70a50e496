"""What the terminal shows while stages run: a live table, or plain lines where it is none."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from stages.runner.progress import Progress
from stages.runner.times import duration

SILENT = {"unchanged", "skipped"}
TAIL = 4096
MINUTE = 60.0
NAMED = 4
"""Stages that a line names of those that run."""


class View(Protocol):
    """Hears of every stage once when its command starts, and once when it is settled."""

    def start(self, name: str, log: Path, where: str) -> None:
        """Show that a stage's command started, where, and that it writes to `log`."""

    def settle(self, name: str, outcome: str, seconds: float) -> None:
        """Show how a stage ended."""


class Lines:
    """A line for each stage that starts or ends, and one a minute of how far the run is."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def start(self, name: str, log: Path, where: str) -> None:
        """Print that it runs."""
        self._progress.start(name)
        say(f"run       {name}  on {where}")

    def settle(self, name: str, outcome: str, seconds: float) -> None:
        """Print how it ended, unless nothing happened."""
        self._progress.settle(name, outcome, seconds)
        if outcome not in SILENT:
            took = f"  {seconds:.1f} s" if seconds else ""
            of = f"{self._progress.settled} of {len(self._progress.needs)}"
            say(f"{outcome:<9} {name}{took}  {of}")

    def show(self) -> None:
        """Print how far the run is, and what runs for how long: also a long epoch lives."""
        oldest = sorted(self._progress.ages().items(), key=lambda each: -each[1])
        named = [f"{name} for {duration(seconds)}" for name, seconds in oldest[:NAMED]]
        more = [f"{len(oldest) - NAMED} more"] if len(oldest) > NAMED else []
        runs = f"; runs: {', '.join(named + more)}" if named else ""
        say(f"{self._progress}{runs}")


class Board:
    """A table of what runs now, with the last line of each log, and counts of the rest."""

    def __init__(self, progress: Progress, console: Console) -> None:
        self._progress, self._console = progress, console
        self._running: dict[str, tuple[Path, str]] = {}
        self._settled: Counter[str] = Counter()

    def start(self, name: str, log: Path, where: str) -> None:
        """Add a row."""
        self._running[name] = (log, where)
        self._progress.start(name)

    def settle(self, name: str, outcome: str, seconds: float) -> None:
        """Remove the row; what did anything leaves a line above the table."""
        self._progress.settle(name, outcome, seconds)
        self._running.pop(name, None)
        self._settled[outcome] += 1
        if outcome not in SILENT:
            self._console.print(f"{outcome:<9} {name}  {seconds:.1f} s", markup=False)

    def __rich__(self) -> Table:
        title = self._title()
        table = Table(box=None, pad_edge=False, title=title, title_justify="left", expand=True)
        for column in ("stage", "on"):
            table.add_column(column, no_wrap=True)
        table.add_column("seconds", no_wrap=True, justify="right")
        table.add_column("last line of its log", no_wrap=True, ratio=1)
        ages = self._progress.ages()
        for name, (log, where) in list(self._running.items()):
            last = (tail(log, 1) or [""])[-1]
            cells = (name, where, f"{ages.get(name, 0.0):.0f}", last)
            table.add_row(*map(Text, cells))
        return table

    def _title(self) -> str:
        counts = [f"{number} {outcome}" for outcome, number in sorted(self._settled.items())]
        return f"{self._progress}: {', '.join(counts) or 'starting'}"


def say(text: str) -> None:
    """Print text; when nobody reads it any more, the run goes on without."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def view(progress: Progress) -> Iterator[View]:
    """Show a table while the block runs, or lines where standard output is no terminal."""
    if not sys.stdout.isatty():
        lines = Lines(progress)
        with every(MINUTE, lines.show):
            yield lines
        return
    console = Console(highlight=False)
    table = Board(progress, console)
    with Live(console=console, refresh_per_second=4, transient=True, get_renderable=table.__rich__):
        yield table


@contextmanager
def every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call a function each time so many seconds have passed, while the block runs."""
    ended = Event()

    def repeat() -> None:
        while not ended.wait(seconds):
            call()

    thread = Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def tail(log: Path, lines: int) -> list[str]:
    """Return the last lines of a log; a progress bar's line is what it showed last."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - TAIL))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    shown = [line.rstrip("\r").rpartition("\r")[2].rstrip() for line in text.split("\n")]
    return [line for line in shown if line][-lines:]
