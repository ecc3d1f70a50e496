"""How far a run is: the stages that are settled, those that run, and how long the rest takes."""

import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from statistics import mean

from stages.runner.times import duration, expected, kind

CALM = 30.0
"""Seconds in which the time shown as left comes nearer to a new estimate by a factor of e."""
OVERRUN = 0.1
"""What a stage that runs longer than expected still takes, as a part of what it has taken."""


@dataclass
class Progress:
    """The progress of the stages that `needs` names, each after those that it needs.

    `times` are those of earlier runs, in seconds, and of the stages `reset` with other settings;
    `spread` returns how long stages take side by side, from the seconds that each still takes;
    `clock` counts seconds.
    """

    needs: Mapping[str, set[str]]
    times: Mapping[str, float]
    spread: Callable[[Mapping[str, float]], float]
    clock: Callable[[], float] = time.monotonic
    reset: Collection[str] = ()
    running: dict[str, float] = field(default_factory=dict)
    _settled: set[str] = field(default_factory=set)
    _measured: dict[str, float] = field(default_factory=dict)
    _shown: float | None = None

    def __post_init__(self) -> None:
        self._began = self._looked = self.clock()

    def start(self, name: str) -> None:
        """Take note that a stage runs."""
        self.running[name] = self.clock()

    def settle(self, name: str, outcome: str, seconds: float) -> None:
        """Take note of how a stage ended."""
        self.running.pop(name, None)
        self._settled.add(name)
        if outcome == "ran":
            self._measured[name] = seconds

    def ages(self) -> dict[str, float]:
        """Return the seconds for which each stage that runs has been running."""
        now = self.clock()
        return {name: now - began for name, began in list(self.running.items())}

    def __str__(self) -> str:
        """Say it in a line: "stage 9 of 30, 12 min left"."""
        total, left = len(self.needs), self.left()
        line = f"stage {min(self.settled + 1, total)} of {total}"
        if left is None:
            return line
        return f"{line}, {duration(left)} left{' (rough)' if self.rough else ''}"

    @property
    def settled(self) -> int:
        """The number of stages that have ended, or had nothing to do."""
        return len(self._settled)

    @property
    def rough(self) -> bool:
        """Whether neither this run nor an earlier one, with these settings, has timed all kinds."""
        measured = {kind(name) for name in list(self._measured)}
        return self._unknown or any(
            name in self.reset and kind(name) not in measured
            for name in self.needs
            if name not in self._settled
        )

    @property
    def _unknown(self) -> bool:
        known = self._seconds()
        return any(name not in known for name in self.needs if name not in self._settled)

    def left(self) -> float | None:
        """Return the seconds that are left; None as long as nothing is known.

        What is returned passes with the clock, and moves only slowly to where the estimate is.
        """
        now, estimate = self.clock(), self._estimate()
        passed, self._looked = now - self._looked, now
        if estimate is None or self._shown is None:
            self._shown = estimate
        else:
            before = max(0.0, self._shown - passed)
            self._shown = estimate + (before - estimate) * math.exp(-passed / CALM)
        return self._shown

    def _estimate(self) -> float | None:
        """Return what is left by the times of stages or, without, by the share of stages done."""
        names = [name for name in self.needs if name not in self._settled]
        if not self._unknown:
            known, ages = self._seconds(), self.ages()
            return self.spread({name: _rest(known[name], ages.get(name, 0.0)) for name in names})
        if not self._measured:
            return None
        return (self.clock() - self._began) * len(names) / len(self._measured)

    def _seconds(self) -> dict[str, float]:
        """Return the seconds of stages as far as known.

        They are those of earlier runs, as much longer as this run found stages of their kind to be.
        """
        names, measured = list(self.needs), dict(self._measured)  # another thread adds to these
        past = expected(names, self.times)
        known = {**expected(names, measured), **past}
        for each in {kind(name) for name in measured}:
            now = {n: s for n, s in measured.items() if kind(n) == each and past.get(n)}
            if now:
                slower = mean(now.values()) / mean(past[name] for name in now)
                known |= {n: slower * past[n] for n in past if kind(n) == each}
        return known


def _rest(expected: float, age: float) -> float:
    return max(expected - age, OVERRUN * age)
