"""Times of earlier runs, and what follows from them."""

import pytest

from stages.runner.demands import Demand
from stages.runner.times import expected, longest_chains, makespan, read_times, write_times


def test_the_longest_chain_counts_what_is_behind_a_stage():
    needs = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}, "e": set()}
    times = {"a": 1.0, "b": 2.0, "c": 5.0, "d": 1.0, "e": 3.0}
    assert longest_chains([*needs], needs, times) == {"a": 7, "b": 3, "c": 6, "d": 1, "e": 3}


def test_a_stage_of_unknown_time_counts_as_the_mean():
    needs = {"a": set(), "b": {"a"}}
    assert longest_chains(["a", "b"], needs, {"a": 2.0, "x": 4.0}) == {"a": 5.0, "b": 3.0}
    assert longest_chains(["a", "b"], needs, {}) == {"a": 2.0, "b": 1.0}


HUGE = 400 * "9"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"a": "x"}', '{"a": null}', 9999 * "[", f'{{"a": {HUGE}}}'],
    ids=["empty", "list", "cut", "text", "null", "nested", "huge"],
)
def test_times_that_cannot_be_read_are_none(tmp_path, text):
    path = tmp_path / "times.json"
    assert read_times(path) == {}
    path.write_text(text)
    assert read_times(path) == {}
    write_times(path, {"a": 1.23456})
    assert read_times(path) == {"a": 1.235}


def test_a_stage_takes_its_own_time_or_the_mean_of_its_kind():
    times = {"part@a": 2.0, "part@b": 4.0, "last": 1.0}
    names = ["part@a", "part@c", "last", "new"]
    assert expected(names, times) == {"part@a": 2.0, "part@c": 3.0, "last": 1.0}


DIAMOND = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}}
SECONDS = {"a": 1.0, "b": 2.0, "c": 5.0, "d": 1.0}
ONE = dict.fromkeys(DIAMOND, Demand(gpus=0))


@pytest.mark.parametrize(
    ("cores", "changed", "total"),
    [
        (1, {}, 9.0),
        (2, {}, 7.0),
        (2, {"b": Demand(2, 0)}, 9.0),
        (2, {"b": Demand(1, 0, alone=True)}, 9.0),
        (2, {"b": Demand(7, 0)}, 9.0),
    ],
)
def test_how_long_a_run_takes(cores, changed, total):
    assert makespan(DIAMOND, SECONDS, {**ONE, **changed}, cores, 0) == total


def test_stages_wait_for_gpus_and_those_that_do_not_run_take_no_time():
    on_gpu = dict.fromkeys(DIAMOND, Demand())
    assert makespan(DIAMOND, SECONDS, on_gpu, 4, 1) == 9.0
    assert makespan(DIAMOND, SECONDS, on_gpu, 4, 2) == 7.0
    assert makespan(DIAMOND, SECONDS, on_gpu, 4, 0) == 7.0
    assert makespan(DIAMOND, {"b": 2.0}, ONE, 1, 0) == 2.0
    assert makespan({}, {}, {}, 1, 0) == 0.0
