"""`python -m tests.reliability`: kill a small study at random points, and compare what it leaves.

Every stage is hit as often as any other. A study goes on after each kill; at its end, and after one
more run, all outputs, dvc.lock and the cache have to be those of a run that nobody disturbed.
"""

import random
import shutil
import sys
import tempfile
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stages.commands.layout import columns
from tests.reliability.kills import KINDS
from tests.reliability.session import Session
from tests.reliability.study import COMMANDS, make
from tests.reliability.trial import Report, Trial, clear

Runner = StrEnum("Runner", [*COMMANDS, "both"])


def main(
    kills: Annotated[int, typer.Option(min=1, help="How many kills.")] = 50,
    seed: Annotated[int, typer.Option(help="Seed of stages, kinds and moments.")] = 0,
    runner: Annotated[Runner, typer.Option(help="Whose runs are killed.")] = Runner.both,
) -> None:
    """Kill runs of a small study; exit with 1 if anything is lost, left or other than it was."""
    runners = list(COMMANDS) if runner is Runner.both else [runner.value]
    folder = Path(tempfile.mkdtemp(prefix="reliability-"))
    shares = [kills // len(runners) + (n < kills % len(runners)) for n in range(len(runners))]
    reports = {
        name: attack(folder / name, name, share, seed)
        for name, share in zip(runners, shares, strict=True)
    }
    for name, report in reports.items():
        print(f"\n{name}\n{table(report)}")
    if not all(report.sound for report in reports.values()):
        sys.exit(f"what is left of the failed studies: {folder}")
    shutil.rmtree(folder)


def attack(folder: Path, runner: str, kills: int, seed: int) -> Report:
    """Run a study undisturbed, and then kill others like it."""
    pristine = make(folder)
    undisturbed = pristine.copy(folder / "undisturbed")
    usual: dict[str, float] = {}
    for _ in range(2):
        session = Session(undisturbed, runner)
        if session.finish():
            raise SystemExit("".join(session.said))
        usual = session.seconds | usual
    clear(folder / "tmp")
    print(f"{runner}: {len(usual)} stages, {sum(usual.values()):.0f} s undisturbed", flush=True)
    return Trial(pristine, undisturbed, runner, usual, random.Random(seed)).run(kills)


def table(report: Report) -> str:
    """Lay out the kills by stage and kind, and what was found."""
    stages = Counter[str]()
    for (stage, _), number in report.kills.items():
        stages[stage] += number
    rows = [("", *KINDS, "all")]
    for stage, number in sorted(stages.items()):
        cells = [report.kills[stage, kind] for kind in KINDS]
        rows.append((stage, *(f"{cell}" if cell else "" for cell in cells), f"{number}"))
    totals = [sum(report.kills[stage, kind] for stage in stages) for kind in KINDS]
    rows.append(("all", *map(str, totals), f"{report.kills.total()}"))
    found = [
        f"{report.resumed} resumed from progress, {report.missed} came too late",
        f"{report.cut_off} times DVC left a dvc.lock that it could not read",
        *report.found(),
    ]
    return "\n".join([columns(rows), *found])


if __name__ == "__main__":
    typer.run(main)
