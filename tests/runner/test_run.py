"""Which stage starts when, and how often lock files are rewritten; without DVC."""

import time
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest

from stages.pipeline.cores import Cores
from stages.pipeline.fault import Fault
from stages.runner.demands import Demand
from stages.runner.run import Policy, Run
from stages.runner.slots import Machine, Slot
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

    def finish(self, cut_short=False):
        self.finished = True


class FakeWorkers:
    """Stages end in the order in which they started, with exit code 1 for those in `failing`."""

    def __init__(self, failing=(), pause=0.0):
        self.running, self.stopped, self.started, self.most = {}, 0, [], 0
        self.failing, self.pause, self.beside = failing, pause, {}

    def start(self, name, command, slot, log):
        self.beside[name] = set(self.running)
        self.running[name] = slot
        self.started.append(name)
        self.most = max(self.most, len(self.running))

    def wait(self, seconds):
        time.sleep(self.pause)
        name = next(iter(self.running), None)
        if name is None:
            return []
        self.running.pop(name).give_back()
        return [Ended(name, int(name in self.failing), 1.0)]


class FakeSlots:
    """So many cores and GPUs; others have `elsewhere` cores for the first looks."""

    def __init__(self, cores, gpus=0, elsewhere=()):
        self.cores, self.gpus, self.elsewhere, self.all = cores, gpus, list(elsewhere), cores

    def take(self, wanted):
        others = self.elsewhere.pop(0) if self.elsewhere else 0
        cores = self.all if wanted.alone else wanted.cores
        if wanted.gpus > self.gpus:
            return "gpus"
        if cores > self.cores - others:
            return "cores"
        self.cores, self.gpus = self.cores - cores, self.gpus - wanted.gpus

        def give_back():
            self.cores, self.gpus = self.cores + cores, self.gpus + wanted.gpus

        return Slot(cores, wanted.gpus, {}, give_back)

    def relax(self):
        pass


class NoView:
    def start(self, name, log, where):
        pass

    def settle(self, name, outcome, seconds):
        pass


def run(pipeline, workers, number=2, keep_going=False, chains=CHAINS, slots=None, demands=()):
    every = dict.fromkeys(pipeline.needs, Demand(gpus=0)) | dict(demands)
    policy = Policy(every, chains, keep_going, Path("logs"))
    return Run(pipeline, workers, slots or FakeSlots(number), NoView(), policy).run()


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


APART = {name: set() for name in "abcd"}
FALLING = {"a": 4, "b": 3, "c": 2, "d": 1}


def test_a_stage_that_runs_alone_comes_last_and_has_nothing_beside_it():
    workers = FakeWorkers()
    run(FakePipeline(APART), workers, 3, chains=FALLING, demands={"b": Demand(1, 0, alone=True)})
    assert workers.started == ["a", "c", "d", "b"]
    assert workers.beside["b"] == set()
    assert all("b" not in beside for beside in workers.beside.values())


def test_what_lacks_cores_is_not_overtaken():
    workers = FakeWorkers()
    run(FakePipeline(APART), workers, 2, chains=FALLING, demands={"b": Demand(2, 0)})
    assert workers.started == ["a", "b", "c", "d"]
    assert workers.beside == {"a": set(), "b": set(), "c": set(), "d": {"c"}}


def test_what_lacks_a_gpu_is_overtaken_by_what_needs_none():
    workers, one = FakeWorkers(), Demand(1, 1)
    demands = {"a": one, "b": one, "d": one}
    run(FakePipeline(APART), workers, slots=FakeSlots(4, 1), chains=FALLING, demands=demands)
    assert workers.started == ["a", "c", "b", "d"]


def test_cores_that_others_have_are_waited_for():
    """Nothing of the runner's own runs meanwhile."""
    workers = FakeWorkers()
    slots = FakeSlots(1, elsewhere=[1, 1, 1])
    report = run(FakePipeline({"a": set()}), workers, slots=slots)
    assert report.outcomes == {"a": "ran"}


def test_two_runs_that_share_cores_do_not_wait_for_each_other(tmp_path):
    """Each has one of two cores and then needs both."""
    demands = {"x": Demand(gpus=0), "y": Demand(gpus=0, alone=True)}
    reports = []

    def one():
        pipeline, slots = (
            FakePipeline({"x": set(), "y": {"x"}}),
            Machine(Cores.of(tmp_path, 2), 2, (), 1),
        )
        workers = FakeWorkers(pause=0.3)
        chains = {"x": 2, "y": 1}
        reports.append(run(pipeline, workers, chains=chains, slots=slots, demands=demands))

    threads = [Thread(target=one, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert [report.outcomes for report in reports] == [{"x": "ran", "y": "ran"}] * 2


def test_a_log_file_has_a_name_that_any_file_system_takes():
    policy = Policy({}, {}, keep_going=False, logs=Path("logs"))
    runner = Run(FakePipeline({}), FakeWorkers(), FakeSlots(1), NoView(), policy)
    names = [f"part@{'é' * 300}{end}" for end in "ab"]
    logs = {runner.log(name).name for name in names}
    assert len(logs) == 2
    assert max(map(len, logs)) < 255
    assert runner.log("part@a/b").name == "part@a%2Fb.log"


def test_a_slot_is_given_back_when_a_stage_cannot_start():
    slots = FakeSlots(1)
    run(FakePipeline(DIAMOND, {"a": "unchanged"}, faulty={"b"}), FakeWorkers(), slots=slots)
    assert slots.cores == 1
