"""Stages in parallel: each as soon as those it needs are done, the longest chain first."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from urllib.parse import quote

from stages.pipeline.fault import Fault
from stages.runner.dvc.pipeline import Pipeline
from stages.runner.view import View
from stages.runner.workers import Ended, Workers

REST = 10
"""Lock files are rewritten at intervals of at least so many times what the last rewrite took."""
BROKEN = {"failed", "skipped", "stopped"}


@dataclass(frozen=True)
class Options:
    """How many stages run at once, what a failure stops, and where logs go."""

    workers: int
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
        view: View,
        options: Options,
        priority: Mapping[str, float],
    ) -> None:
        self._pipeline, self._workers, self._view = pipeline, workers, view
        self._options, self._priority = options, priority
        self._sorter = TopologicalSorter(pipeline.after)
        self._sorter.prepare()
        self._ready: list[str] = []
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
                if not self._workers.running:
                    self._pipeline.finish()
                    return self.report
                self._flush()
            ended = self._workers.wait(self._patience())

    def _start(self) -> None:
        """Settle or start what is ready, while there is a free worker."""
        self._ready += self._sorter.get_ready()
        while self._ready and self._open():
            name = max(self._ready, key=self._priority.__getitem__)
            self._ready.remove(name)
            self._begin(name)
            self._ready += self._sorter.get_ready()

    def _open(self) -> bool:
        stops = bool(self.report.reasons) and not self._options.keep_going
        busy = len(self._workers.running) >= self._options.workers
        return not (self._workers.stopped or stops or busy)

    def _begin(self, name: str) -> None:
        if any(self.report.outcomes[before] in BROKEN for before in self._pipeline.needs[name]):
            self._settle(name, "skipped")
            return
        try:
            prepared = self._pipeline.prepare(name)
        except Fault as fault:
            self._fail(name, f"{fault}")
            return
        if prepared == "ready":
            log = self.log(name)
            self._view.start(name, log)
            self._workers.start(name, self._pipeline.command(name), log)
        else:
            self._settle(name, prepared)

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
        """Return the seconds until the next rewrite, None where nothing waits for one."""
        return max(0.0, self._due - time.monotonic()) if self._pipeline.unwritten else None

    def log(self, name: str) -> Path:
        """Return the log file of a stage."""
        return self._options.logs / f"{quote(name, safe='@ ')}.log"
