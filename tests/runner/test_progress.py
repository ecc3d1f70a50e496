"""How far a run is, by a clock that the test moves."""

import re
from functools import partial
from itertools import pairwise
from pathlib import Path
from threading import Event

import pytest

from stages.runner.demands import Demand
from stages.runner.progress import Progress
from stages.runner.times import duration, makespan, shortest
from stages.runner.view import Lines, every

NEEDS = {
    "data": set(),
    "train": {"data"},
    "arm@a": {"train"},
    "arm@b": {"train"},
    "page": {"arm@a"},
}
TIMES = {"data": 10.0, "train": 100.0, "arm@a": 40.0, "arm@b": 20.0, "page": 5.0}
ONE = dict.fromkeys(NEEDS, Demand(gpus=0))


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def progress(clock, times, cores=1):
    spread = partial(shortest, NEEDS, demands=ONE, cores=cores, gpus=0)
    return Progress(NEEDS, times, spread, clock)


@pytest.mark.parametrize(("cores", "left"), [(1, 175.0), (2, 155.0)])
def test_at_first_what_is_left_is_what_earlier_runs_took(clock, cores, left):
    """On one core their sum, on two no less than data, train, arm@a, page."""
    found = progress(clock, TIMES, cores)
    assert found.left() == left
    assert not found.rough
    assert f"{found}" == f"stage 1 of 5, {duration(left)} left"


def test_what_runs_has_less_left_as_time_passes(clock):
    found = progress(clock, TIMES)
    found.settle("data", "unchanged", 0.0)
    found.start("train")
    assert found.left() == 165.0
    clock.now += 30
    assert found.left() == pytest.approx(135.0)
    assert f"{found}" == "stage 2 of 5, 2 min left"
    assert found.ages() == {"train": 30.0}


def settled(found, clock, seconds):
    for name, taken in seconds.items():
        found.start(name)
        clock.now += taken
        found.settle(name, "ran", taken)


def test_a_kind_that_takes_longer_than_before_is_expected_to_go_on_so(clock):
    """arm@a took 80 s, twice what it had taken: arm@b will take 40 s, the page its 5 s."""
    found = progress(clock, TIMES)
    settled(found, clock, {"data": 10.0, "train": 100.0, "arm@a": 80.0})
    assert found.left() == pytest.approx(45.0)


def test_a_stage_that_overruns_still_takes_a_tenth_of_its_time(clock):
    found = progress(clock, TIMES)
    settled(found, clock, {"data": 10.0, "train": 100.0, "arm@a": 40.0, "arm@b": 20.0})
    found.start("page")
    clock.now += 200
    assert found.left() == pytest.approx(20.0)


def test_without_times_the_share_of_stages_counts_and_is_marked(clock):
    """After 110 s two of five have run: 3/2 of that time is left; unchanged ones do not count."""
    found = progress(clock, {})
    assert f"{found}" == "stage 1 of 5"
    settled(found, clock, {"data": 10.0, "train": 100.0})
    assert found.left() == pytest.approx(165.0)
    assert f"{found}" == "stage 3 of 5, 3 min left (rough)"
    found.settle("page", "unchanged", 0.0)
    settled(found, clock, {"arm@a": 40.0})
    assert found.rough is False  # what arm@b takes is known from arm@a
    clock.now += 1e6
    assert found.left() == pytest.approx(40.0)


def test_times_with_other_settings_are_rough_until_a_stage_of_the_kind_is_timed(clock):
    """Train and what is behind it had other settings; arm@b is known as soon as arm@a has run."""
    found = progress(clock, TIMES)
    found.reset = {"train", "arm@a", "arm@b"}
    assert found.left() == 175.0
    assert f"{found}" == "stage 1 of 5, 3 min left (rough)"
    settled(found, clock, {"data": 10.0, "train": 900.0})
    assert found.rough
    settled(found, clock, {"arm@a": 360.0})
    assert not found.rough


def test_what_is_shown_moves_slowly_to_a_new_estimate(clock):
    """155 s are left when arm@a turns out ten times as slow: 200 s for arm@b, 95 s for the page."""
    found = progress(clock, {**TIMES, "page": 95.0})
    settled(found, clock, {"data": 10.0, "train": 100.0})
    shown = [found.left()]
    assert shown == [155.0]
    found.settle("arm@a", "ran", 400.0)
    found.start("arm@b")
    for _ in range(150):
        clock.now += 1
        shown.append(found.left())
    assert max(abs(after - before) for before, after in pairwise(shown)) < 6
    assert shown[-1] == pytest.approx(200.0 - 150.0 + 95.0, abs=1.0)


def test_the_shortest_time_is_no_longer_than_a_simulated_run():
    for cores in (1, 2, 3):
        for changed in ({}, {"train": Demand(2, 0)}, {"page": Demand(1, 0, alone=True)}):
            bound = shortest(NEEDS, TIMES, {**ONE, **changed}, cores, 0)
            assert bound <= makespan(NEEDS, TIMES, {**ONE, **changed}, cores, 0)
    on_gpu = dict.fromkeys(NEEDS, Demand())
    assert shortest(NEEDS, TIMES, on_gpu, 4, 1) == 175.0
    assert shortest(NEEDS, {"arm@b": 3.0}, ONE, 2, 0) == 3.0
    assert shortest({}, {}, {}, 1, 0) == 0.0


def test_a_log_tells_how_far_it_is_and_what_runs_for_how_long(clock, capsys):
    lines = Lines(progress(clock, TIMES, cores=2))
    lines.settle("data", "unchanged", 0.0)
    lines.start("train", Path("log"), "2 cores")
    clock.now += 60
    lines.show()
    lines.settle("train", "ran", 60.0)
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "run       train  on 2 cores",
        "stage 2 of 5, 85 s left; runs: train for 60 s",
        "ran       train  60.0 s  2 of 5",
    ]
    assert not re.search(r"[\r\x1b]", said)


def test_a_line_names_at_most_four_stages_the_oldest_first(clock, capsys):
    names = [f"arm@{letter}" for letter in "abcdef"]
    found = Progress({name: set() for name in names}, {}, lambda _: 0.0, clock)
    for name in names:
        found.start(name)
        clock.now += 100
    Lines(found).show()
    assert capsys.readouterr().out == (
        "stage 1 of 6; runs: arm@a for 10 min, arm@b for 8 min, arm@c for 7 min, arm@d for 5 min, "
        "2 more\n"
    )


def test_a_function_is_called_again_and_again_until_the_block_ends():
    twice, calls = Event(), []

    def call():
        calls.append(1)
        if len(calls) == 2:
            twice.set()

    with every(0.001, call):
        assert twice.wait(30)
    made = len(calls)
    with every(1e6, call):
        pass
    assert len(calls) == made
