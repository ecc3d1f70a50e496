"""Which stage starts when, and how often lock files are rewritten; without DVC."""

import time
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path

import pytest

from stages.pipeline.fault import Fault
from stages.runner.run import Options, Run
from stages.runner.workers import Ended

DIAMOND = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}, "e": set()}
CHAINS = {"a": 7, "b": 3, "c": 6, "d": 1, "e": 3}


class FakePipeline:
    """Every stage is ready, unless said otherwise; a rewrite takes `rewrite` seconds."""

    def __init__(self, needs, prepared=(), faulty=(), rewrite=0.0):
        self.needs = self.after = needs
        self.prepared, self.faulty, self.rewrite = dict(prepared), faulty, rewrite
        self.recorded, self.flushes, self.unwritten, self.finished = [], [], False, False

    held = staticmethod(nullcontext)

    def prepare(self, name):
        if name in self.faulty:
            raise Fault(f"{name} is busy")
        return self.prepared.get(name, "ready")

    def command(self, name):
        return name

    def record(self, name):
        self.recorded.append(name)
        self.unwritten = True

    def abandon(self, name):
        pass

    def flush(self):
        self.flushes.append((time.monotonic(), list(self.recorded)))
        self.unwritten = False
        time.sleep(self.rewrite)

    def finish(self):
        self.finished = True


class FakeWorkers:
    """Stages end in the order in which they started, with exit code 1 for those in `failing`."""

    def __init__(self, failing=(), pause=0.0):
        self.running, self.stopped, self.started, self.most = [], 0, [], 0
        self.failing, self.pause = failing, pause

    def start(self, name, command, log):
        self.running.append(name)
        self.started.append(name)
        self.most = max(self.most, len(self.running))

    def wait(self, seconds):
        time.sleep(self.pause)
        name = self.running.pop(0)
        return [Ended(name, int(name in self.failing), 1.0)]


class NoView:
    def start(self, name, log):
        pass

    def settle(self, name, outcome, seconds):
        pass


def run(pipeline, workers, number=2, keep_going=False, chains=CHAINS):
    options = Options(number, keep_going, Path("logs"))
    return Run(pipeline, workers, NoView(), options, chains).run()


def test_the_longest_chain_starts_first_and_needs_are_met():
    workers = FakeWorkers()
    report = run(FakePipeline(DIAMOND), workers, number=1)
    assert workers.started == ["a", "c", "e", "b", "d"]
    assert set(report.outcomes.values()) == {"ran"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_no_more_stages_than_workers_run_at_once(number):
    workers = FakeWorkers()
    run(
        FakePipeline({f"{i}": set() for i in range(6)}),
        workers,
        number,
        chains={f"{i}": 1 for i in range(6)},
    )
    assert workers.most == number


def test_what_needs_no_worker_takes_none():
    pipeline = FakePipeline(DIAMOND, {"a": "unchanged", "b": "restored", "c": "verified"})
    workers = FakeWorkers()
    report = run(pipeline, workers, number=1)
    assert workers.started == ["e", "d"]
    assert report.outcomes["c"] == "verified"


def test_a_failure_lets_nothing_new_start():
    workers = FakeWorkers(failing={"e"})
    pipeline = FakePipeline(DIAMOND)
    report = run(pipeline, workers)
    assert workers.started == ["a", "e", "c"]
    assert report.outcomes == {"a": "ran", "e": "failed", "c": "ran"}
    assert pipeline.finished


def test_keep_going_skips_what_depends_on_a_failure():
    report = run(FakePipeline(DIAMOND, faulty={"b"}), FakeWorkers(), keep_going=True)
    assert report.outcomes == {"a": "ran", "e": "ran", "b": "failed", "c": "ran", "d": "skipped"}
    assert report.reasons == {"b": "b is busy"}


def test_rewrites_keep_a_distance_of_ten_times_their_time():
    names = {f"{i}": set() for i in range(30)}
    pipeline = FakePipeline(names, rewrite=0.02)
    run(pipeline, FakeWorkers(pause=0.01), number=1, chains=dict.fromkeys(names, 1))
    times = [when for when, _ in pipeline.flushes]
    assert len(times) >= 2
    assert all(later - sooner >= 10 * 0.02 for sooner, later in pairwise(times))
    assert pipeline.finished
