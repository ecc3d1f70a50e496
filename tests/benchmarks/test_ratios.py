import itertools

import pytest

from tests.benchmarks.ratios import Pair, Row, alternate, compare


def test_a_ratio_is_taken_within_each_round():
    values = {"ours": [1.0, 30.0, 6.0], "stock": [2.0, 10.0, 3.0]}
    rows = compare("epoch", "float32", "images/s", values, [Pair("ours", "stock", ">= 1")])
    expected = Row(
        case="epoch",
        setting="float32",
        ratio="ours / stock",
        n=3,
        median=2.0,
        low=0.5,
        high=3.0,
        goal=">= 1",
        top=6.0,
        bottom=3.0,
        unit="images/s",
    )
    assert rows == [expected]


def test_the_median_of_an_even_number_of_rounds_lies_between_two():
    (row,) = compare("", "", "", {"a": [1.0, 2.0, 4.0, 10.0], "b": [1.0] * 4}, [Pair("a", "b")])
    assert (row.n, row.median, row.low, row.high) == (4, 3.0, 1.0, 10.0)


def test_rounds_of_unequal_number_are_no_ratio():
    with pytest.raises(ValueError, match="shorter"):
        compare("", "", "", {"a": [1.0, 2.0], "b": [1.0]}, [Pair("a", "b")])


def test_every_round_begins_with_the_next_contender():
    order = []
    clock = itertools.count()

    def turn(name):
        def take():
            order.append(name)
            return next(clock)

        return take

    values = alternate({name: turn(name) for name in "abc"}, 4, "label")
    assert "".join(order) == "abcbcacababc"
    assert values == {"a": [0, 5, 7, 9], "b": [1, 3, 8, 10], "c": [2, 4, 6, 11]}
