"""Stages in parallel: each as soon as those it needs are done, the longest chain first."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from hashlib import md5
from pathlib import Path
from urllib.parse import quote

from stages.pipeline.fault import Fault
from stages.runner.demands import Demand
from stages.runner.dvc.pipeline import Pipeline
from stages.runner.slots import Lacking, Slot, Slots
from stages.runner.view import View
from stages.runner.workers import Ended, Workers

REST = 10
"""Lock files are rewritten at intervals of at least so many times what the last rewrite took."""
BROKEN = {"failed", "skipped", "stopped"}
LONGEST = 200
"""Characters of the name of a log file."""
LOOK = 0.2
"""Seconds after which a stage that waits for cores looks for free ones again."""


@dataclass(frozen=True)
class Policy:
    """What stages ask for, which goes first, what a failure stops, and where logs go."""

    demands: Mapping[str, Demand]
    priority: Mapping[str, float]
    keep_going: bool
    logs: Path


@dataclass
class Report:
    """How every settled stage ended, why some failed, and the seconds of those that ran."""

    outcomes: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


class Run:
    """One run of a pipeline. DVC is asked and told from this thread alone, under its lock."""

    def __init__(
        self,
        pipeline: Pipeline,
        workers: Workers,
        slots: Slots,
        view: View,
        policy: Policy,
    ) -> None:
        self._pipeline, self._workers, self._slots = pipeline, workers, slots
        self._view, self._policy = view, policy
        self._sorter = TopologicalSorter(pipeline.after)
        self._sorter.prepare()
        self._ready: list[str] = []
        self._lacking: set[Lacking] = set()
        self._due = 0.0
        self.report = Report()

    def run(self) -> Report:
        """Run until nothing is left to do, or nothing more may start; record all that finished."""
        ended: list[Ended] = []
        while True:
            with self._pipeline.held():
                for each in ended:
                    self._finish(each)
                self._start()
                if not (self._workers.running or self._waits()):
                    self._pipeline.finish(cut_short=not self._open())
                    return self.report
                self._flush()
            ended = self._workers.wait(self._patience())

    def _start(self) -> None:
        """Settle or start what is ready, as far as there are slots; the longest chain first.

        What runs alone comes last: cores stand idle until all others have ended. What lacks cores
        waits for them before all others; what lacks a GPU, before others with one.
        """
        self._lacking = set()
        self._ready += self._sorter.get_ready()
        waiting = []
        while self._ready and "cores" not in self._lacking and self._open():
            name = max(self._ready, key=self._rank)
            self._ready.remove(name)
            if not self._begin(name):
                waiting.append(name)
            self._ready += self._sorter.get_ready()
        self._ready = waiting + self._ready
        if "cores" not in self._lacking or not self._workers.running:
            self._slots.relax()  # with none to come from here, two runs would wait for each other

    def _rank(self, name: str) -> tuple[bool, float]:
        return not self._policy.demands[name].alone, self._policy.priority[name]

    def _open(self) -> bool:
        stops = bool(self.report.reasons) and not self._policy.keep_going
        return not (self._workers.stopped or stops)

    def _waits(self) -> bool:
        """Whether a stage waits for cores, which others than the runner's stages may have taken."""
        return "cores" in self._lacking and self._open()

    def _begin(self, name: str) -> bool:
        """Settle or start a stage; whether it need not wait for a slot."""
        if any(self.report.outcomes[before] in BROKEN for before in self._pipeline.needs[name]):
            self._settle(name, "skipped")
            return True
        try:
            wanted = self._policy.demands[name]
            if wanted.gpus and "gpus" in self._lacking:
                return False
            slot = self._slots.take(wanted)
            if isinstance(slot, str):
                self._lacking.add(slot)
                return False
            self._begin_in(slot, name)
        except Fault as fault:
            self._fail(name, f"{fault}")
        return True

    def _begin_in(self, slot: Slot, name: str) -> None:
        started = False
        try:
            prepared = self._pipeline.prepare(name)
            if prepared == "ready":
                log = self.log(name)
                self._view.start(name, log, slot.where)
                self._workers.start(name, self._pipeline.command(name), slot, log)
                started = True
            else:
                self._settle(name, prepared)
        finally:
            if not started:
                slot.give_back()

    def _finish(self, ended: Ended) -> None:
        self.report.seconds[ended.name] = ended.seconds
        if ended.code == 0:
            try:
                self._pipeline.record(ended.name)
                self._settle(ended.name, "ran")
            except Fault as fault:
                self._fail(ended.name, f"{fault}")
        elif self._workers.stopped:
            self._pipeline.abandon(ended.name)
            self._settle(ended.name, "stopped")
        else:
            self._fail(ended.name, f"its command ended with {ended.code}")

    def _fail(self, name: str, reason: str) -> None:
        self._pipeline.abandon(name)
        self.report.reasons[name] = reason
        self._settle(name, "failed")

    def _settle(self, name: str, outcome: str) -> None:
        self.report.outcomes[name] = outcome
        self._sorter.done(name)
        self._view.settle(name, outcome, self.report.seconds.get(name, 0.0))

    def _flush(self) -> None:
        """Write the lock files if their last rewrite was long enough ago."""
        began = time.monotonic()
        if self._pipeline.unwritten and began >= self._due:
            self._pipeline.flush()
            ended = time.monotonic()
            self._due = ended + REST * (ended - began)

    def _patience(self) -> float | None:
        """Return the seconds until the next rewrite or look for cores, None where none is due."""
        rewrite = [max(0.0, self._due - time.monotonic())] if self._pipeline.unwritten else []
        look = [LOOK] if self._waits() else []
        return min(rewrite + look, default=None)

    def log(self, name: str) -> Path:
        """Return the log file of a stage; a long name is cut, for file systems allow 255 bytes."""
        quoted = quote(name, safe="@ ")
        if len(quoted) > LONGEST:
            digest = md5(name.encode(), usedforsecurity=False).hexdigest()
            quoted = f"{quoted[: LONGEST - 33]}-{digest}"
        return self._policy.logs / f"{quoted}.log"
