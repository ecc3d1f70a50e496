"""What the terminal shows while stages run: a live table, or plain lines where it is none."""

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

SILENT = {"unchanged", "skipped"}
TAIL = 4096


class View(Protocol):
    """Hears of every stage once when its command starts, and once when it is settled."""

    def start(self, name: str, log: Path, where: str) -> None:
        """Show that a stage's command started, where, and that it writes to `log`."""

    def settle(self, name: str, outcome: str, seconds: float) -> None:
        """Show how a stage ended."""


class Lines:
    """A line for each stage that starts or ends, with the count of those that are settled."""

    def __init__(self, total: int) -> None:
        self._total, self._settled = total, 0

    def start(self, name: str, log: Path, where: str) -> None:
        """Print that it runs."""
        say(f"run       {name}  on {where}")

    def settle(self, name: str, outcome: str, seconds: float) -> None:
        """Print how it ended, unless nothing happened."""
        self._settled += 1
        if outcome not in SILENT:
            took = f"  {seconds:.1f} s" if seconds else ""
            say(f"{outcome:<9} {name}{took}  {self._settled} of {self._total}")


class Board:
    """A table of what runs now, with the last line of each log, and counts of the rest."""

    def __init__(self, total: int, console: Console) -> None:
        self._total, self._console = total, console
        self._running: dict[str, tuple[float, Path, str]] = {}
        self._settled: Counter[str] = Counter()

    def start(self, name: str, log: Path, where: str) -> None:
        """Add a row."""
        self._running[name] = (time.monotonic(), log, where)

    def settle(self, name: str, outcome: str, seconds: float) -> None:
        """Remove the row; what did anything leaves a line above the table."""
        self._running.pop(name, None)
        self._settled[outcome] += 1
        if outcome not in SILENT:
            self._console.print(f"{outcome:<9} {name}  {seconds:.1f} s", markup=False)

    def __rich__(self) -> Table:
        table = Table(box=None, pad_edge=False, title=self._title(), title_justify="left")
        for column in ("stage", "on", "seconds", "last line of its log"):
            table.add_column(
                column, no_wrap=True, justify="right" if column == "seconds" else "left"
            )
        for name, (began, log, where) in list(self._running.items()):
            last = (tail(log, 1) or [""])[-1]
            cells = (name, where, f"{time.monotonic() - began:.0f}", last)
            table.add_row(*map(Text, cells))
        return table

    def _title(self) -> str:
        counts = [f"{number} {outcome}" for outcome, number in sorted(self._settled.items())]
        return f"{self._settled.total()} of {self._total} stages: {', '.join(counts) or 'starting'}"


def say(text: str) -> None:
    """Print text; when nobody reads it any more, the run goes on without."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def view(total: int) -> Iterator[View]:
    """Show a table while the block runs, or lines where standard output is no terminal."""
    if not sys.stdout.isatty():
        yield Lines(total)
        return
    console = Console(highlight=False)
    table = Board(total, console)
    with Live(console=console, refresh_per_second=4, transient=True, get_renderable=table.__rich__):
        yield table


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
