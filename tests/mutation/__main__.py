"""Mutants of the rooms that decide numbers, run by mutmut, and the share that their tests kill."""

import json
import random
import shutil
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code

FOLDER = Path("mutants")
SMALLEST = "stages.statistics.estimates*"
"""mutmut makes the mutants of all rooms when it is asked to run some."""
NOTICED = ("killed", "timeout", "segfault")
SEED = 0
app = typer.Typer(add_completion=False)


class Room(StrEnum):
    """What may be mutated; the tests and files of each are in pyproject.toml."""

    training = "training"
    pruning = "pruning"
    schedules = "schedules"
    evaluation = "evaluation"
    statistics = "statistics"

    @property
    def path(self) -> Path:
        """Return where mutmut puts the room's mutants."""
        return FOLDER / "stages" / self


@app.command()
def main(
    room: Annotated[list[Room] | None, typer.Argument(help="Default: all.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Mutants drawn from each room. Default: all.")
    ] = None,
    least: Annotated[float, typer.Option(min=0, max=100, help="Percent to be killed.")] = 85.0,
    processes: Annotated[int, typer.Option(min=1, help="Mutants tried at a time.")] = 2,
) -> None:
    """Print the share of mutants killed in each room, and the diff of every survivor.

    The exit code is 1 where a room's share is below --least. mutmut's own commands work on what
    is left in mutants/: `mutmut show NAME`, or `mutmut run NAME` once a test is written.
    """
    rooms = room or list(Room)
    shutil.rmtree(FOLDER, ignore_errors=True)
    _run(processes, SMALLEST)
    drawn = {each: draw(list(_verdicts(each)), sample) for each in rooms}
    _run(processes, *(name for names in drawn.values() for name in names))
    found = {each: _verdicts(each) for each in rooms}
    shares = [_report(each, {name: found[each][name] for name in drawn[each]}) for each in rooms]
    raise typer.Exit(min(shares) < least)


def draw(names: list[str], count: int | None) -> list[str]:
    """Return that many of the names, always the same; all where there are fewer."""
    if count is None or count >= len(names):
        return sorted(names)
    return sorted(random.Random(SEED).sample(sorted(names), count))


def _run(processes: int, *names: str) -> None:
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(processes), *names]
    if subprocess.run(command, check=False).returncode:
        raise typer.Exit(2)


def _verdicts(room: Room) -> dict[str, str]:
    """Return what became of each mutant of a room."""
    files = (json.loads(path.read_text()) for path in room.path.rglob("*.meta"))
    return {
        name: status_by_exit_code[code]
        for file in files
        for name, code in file["exit_code_by_key"].items()
    }


def _report(room: Room, verdicts: dict[str, str]) -> float:
    """Print a room's survivors and its share of killed mutants; return that share in percent."""
    survivors = {name: verdict for name, verdict in verdicts.items() if verdict not in NOTICED}
    for name, verdict in survivors.items():
        print(f"\n{name}: {verdict}\n{get_diff_for_mutant(name)}")
    killed = len(verdicts) - len(survivors)
    share = 100 * killed / len(verdicts)
    print(f"\n{room}: {killed} of {len(verdicts)} mutants killed, {share:.1f} %", flush=True)
    return share


if __name__ == "__main__":
    app()
