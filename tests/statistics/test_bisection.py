import math

import pytest

from stages.statistics.bisection import last_that_passes, most_trials


class Oracle:
    """Candidates pass up to one of them; every trial is noted."""

    def __init__(self, last):
        self.last, self.asked = last, []

    def __call__(self, candidate):
        self.asked.append(candidate)
        return candidate <= self.last


@pytest.mark.parametrize("number", range(1, 40))
def test_the_last_that_passes_is_found_wherever_it_is(number):
    for last in range(-1, number):
        oracle = Oracle(last)
        assert last_that_passes(oracle, number) == (None if last < 0 else last)
        assert len(oracle.asked) == len({*oracle.asked}) <= most_trials(number)
        assert most_trials(number) == math.ceil(math.log2(number + 1))


def test_without_candidates_nothing_is_tried():
    oracle = Oracle(3)
    assert last_that_passes(oracle, 0) is None
    assert oracle.asked == []


def test_what_it_returns_was_tried_and_so_was_the_next():
    oracle = Oracle(11)
    assert last_that_passes(oracle, 19) == 11
    assert {11, 12} <= {*oracle.asked}


def test_noise_that_breaks_the_order_still_ends_between_a_pass_and_a_failure():
    """Candidate 5 fails by chance, though 6 to 9 would pass: the answer is below it."""
    asked = []

    def passes(candidate):
        asked.append(candidate)
        return candidate <= 9 and candidate != 5

    found = last_that_passes(passes, 11)
    assert found == 4
    assert passes(found)
    assert not passes(found + 1)
