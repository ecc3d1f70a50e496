"""The ways to kill a run, and who is left a while after."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.pipeline.project import Project
from tests.reliability.session import LOOK, Session, workers

GRACE = 5.0
"""Seconds after the end of DVC or the runner in which all that it started has to end."""
PATIENCE = 60.0
"""Seconds for siblings of a failed stage to finish."""


def _group(number: int) -> Callable[[Session], None]:
    return lambda session: os.killpg(session.process.pid, number)


def _alone(number: int) -> Callable[[Session], None]:
    return lambda session: os.kill(session.process.pid, number)


def _replicate(session: Session) -> None:
    """Kill a process that holds a replicate's lock; where there is none, what runs a stage."""
    found = [each for each in workers(session.project) if each.pid != session.process.pid]
    holders = [process for process in found if _holds_a_lock(process)]
    stages = [process for process in found if _runs_a_stage(process, session)]
    for process in (holders or stages)[:1]:
        process.kill()


KINDS: dict[str, Callable[[Session], None]] = {
    "KILL group": _group(signal.SIGKILL),
    "KILL alone": _alone(signal.SIGKILL),
    "KILL replicate": _replicate,
    "TERM group": _group(signal.SIGTERM),
    "TERM alone": _alone(signal.SIGTERM),
    "INT group": _group(signal.SIGINT),
    "INT alone": _alone(signal.SIGINT),
}
IGNORED = {("dvc", "INT alone")}
"""DVC leaves SIGINT to its command, which has it from the terminal: the run goes on."""


def strike(session: Session, stage: str, kind: str, after: float) -> bool:
    """Kill a run `after` so many seconds of a stage that runs; whether it still ran then."""
    time.sleep(after)
    if stage not in session.running or not session.alive():
        return False
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        KINDS[kind](session)
    return True


def orphans(project: Project) -> list[str]:
    """Return the command lines of what outlives a run that ended; they are killed."""
    deadline = time.monotonic() + GRACE
    while (left := list(workers(project))) and time.monotonic() < deadline:
        time.sleep(LOOK)
    found = []
    for process in left:
        with suppress(psutil.Error):
            found.append(" ".join(process.cmdline()))
            process.kill()
    return found


def _holds_a_lock(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any("/.state/" in file.path for file in process.open_files())
    return False


def _runs_a_stage(process: psutil.Process, session: Session) -> bool:
    """Whether it is no shell and neither DVC nor the runner, nor what these keep for themselves."""
    with suppress(psutil.Error):
        words, above = process.cmdline(), process.parent()
        forked = any(word.endswith("/warm.py") for word in words)
        return "-m" in words or bool(forked and above and above.cmdline() == words)
    return False
