from itertools import pairwise

import numpy as np
import pytest

from stages.pipeline.fault import Fault
from stages.pruning.allocation.filters import FILTER_ALLOCATIONS as ALLOCATIONS
from stages.pruning.allocation.layer import Layer, Size, keep


def layers(*widths, scores=None):
    """Layers a, b, ... with PFEC indices 2, 4, ..., one stage per width."""
    stages = sorted(set(widths), key=widths.index)
    return [
        Layer(name, width, 2 * i + 2, stages.index(width), None if scores is None else scores[i])
        for i, (name, width) in enumerate(zip("abcdef", widths, strict=False))
    ]


def measure(widths):
    """A chain of 1x1 convolutions: parameters are products of neighbouring widths."""
    chain = [3, *widths.values(), 10]
    parameters = sum(a * b for a, b in pairwise(chain))
    return Size(parameters, 4 * parameters)


@pytest.mark.parametrize(
    ("width", "ratio", "left"),
    [(16, 0.7, 4), (16, 0.6, 6), (64, 0.1, 57), (32, 0.3, 22), (16, 0.0, 16), (16, 0.99, 1)],
)
def test_a_layer_keeps_int_c_times_1_minus_p_but_at_least_one(width, ratio, left):
    assert keep(width, ratio) == left


def test_uniform_takes_the_same_ratio_everywhere_but_where_skipped():
    widths = ALLOCATIONS["uniform"](layers(16, 32, 64), measure, ratio=0.5, skip=(4, "c"))
    assert widths == {"a": 8, "b": 32, "c": 64}


def test_per_stage_takes_each_stage_s_ratio():
    found = layers(16, 16, 32)
    widths = ALLOCATIONS["per_stage"](found, measure, ratios=(0.6, 0.3), skip=(4,))
    assert widths == {"a": 6, "b": 16, "c": 22}


def test_per_stage_wants_one_ratio_per_stage():
    with pytest.raises(Fault, match="3 ratios; the network has 2 stages"):
        ALLOCATIONS["per_stage"](layers(16, 32), measure, ratios=(0.1, 0.1, 0.1))


def test_skipping_a_layer_that_is_not_pruned_is_refused():
    with pytest.raises(Fault, match="skip: 3 is no prunable convolution; allowed: 2, 4"):
        ALLOCATIONS["uniform"](layers(16, 32), measure, ratio=0.5, skip=(3,))


def test_global_removes_the_lowest_scores_wherever_they_are():
    found = layers(3, 3, scores=[np.array([1.0, 9.0, 2.0]), np.array([7.0, 8.0, 6.0])])
    assert ALLOCATIONS["global"](found, measure, ratio=1 / 3) == {"a": 1, "b": 3}


def test_global_removes_the_nearest_whole_number_of_filters():
    found = layers(6, scores=[np.arange(6.0)])
    assert ALLOCATIONS["global"](found, measure, ratio=0.6) == {"a": 2}  # 3.6 are 4


def test_global_leaves_every_layer_its_minimum():
    found = layers(3, 3, scores=[np.array([1.0, 2.0, 3.0]), np.array([7.0, 8.0, 6.0])])
    assert ALLOCATIONS["global"](found, measure, ratio=1 / 2) == {"a": 1, "b": 2}
    assert ALLOCATIONS["global"](found, measure, ratio=1 / 2, minimum=1) == {"a": 1, "b": 2}
    assert ALLOCATIONS["global"](found, measure, ratio=1 / 3, minimum=2) == {"a": 2, "b": 2}


def test_normalised_scores_compare_layers_of_different_scale():
    found = layers(2, 2, scores=[np.array([100.0, 300.0]), np.array([1.0, 1.4])])
    widths = ALLOCATIONS["global"](found, measure, ratio=0.25, normalise=True)
    assert widths == {"a": 1, "b": 2}


def test_global_cannot_do_without_scores():
    with pytest.raises(Fault, match="depend on the scores"):
        ALLOCATIONS["global"](layers(4, 4), measure, ratio=0.5)


def test_widths_are_taken_in_order_or_by_name():
    found = layers(16, 32)
    assert ALLOCATIONS["widths"](found, measure, widths=(3, 5)) == {"a": 3, "b": 5}
    assert ALLOCATIONS["widths"](found, measure, widths={"b": 5}) == {"a": 16, "b": 5}


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ((3,), "1 widths; the network has 2"),
        ((3, 33), "b has 32 filters, it cannot keep 33"),
        ((0, 3), "a has 16 filters, it cannot keep 0"),
        ({"x": 3}, "x is no prunable layer; allowed: a, b"),
    ],
)
def test_impossible_widths_are_refused(widths, message):
    with pytest.raises(Fault, match=message):
        ALLOCATIONS["widths"](layers(16, 32), measure, widths=widths)


@pytest.mark.parametrize(
    "goal", [{"parameters": 500}, {"parameters": 0.3}, {"macs": 0.3}, {"macs": 2000}]
)
def test_a_target_is_met_by_the_largest_uniform_network_below_it(goal):
    found = layers(16, 32, 64)
    widths = ALLOCATIONS["target"](found, measure, **goal)
    ((quantity, aim),) = goal.items()
    dense = getattr(measure({"a": 16, "b": 32, "c": 64}), quantity)
    limit = aim * dense if aim <= 1 else aim
    reachable = [{x.name: keep(x.width, ratio / 6400) for x in found} for ratio in range(6400)]
    sizes = [getattr(measure(option), quantity) for option in reachable]
    best = max(size for size in sizes if size <= limit)
    assert getattr(measure(widths), quantity) == best


def test_a_target_by_global_threshold_follows_the_scores():
    found = layers(4, 4, scores=[np.arange(4.0), np.arange(4.0) + 10])
    widths = ALLOCATIONS["target"](found, measure, parameters=60, by="global")
    assert widths == {"a": 2, "b": 4}  # 6 + 8 + 40 = 54 parameters; with three in a 61


def test_a_target_of_the_dense_network_changes_nothing():
    assert ALLOCATIONS["target"](layers(16, 32), measure, parameters=1) == {"a": 16, "b": 32}


@pytest.mark.parametrize("goal", [{}, {"parameters": 0.5, "macs": 0.5}])
def test_a_target_is_one_quantity(goal):
    with pytest.raises(Fault, match="either `parameters` or `macs`"):
        ALLOCATIONS["target"](layers(16, 32), measure, **goal)


def test_a_target_above_1_is_a_number_even_just_above():
    with pytest.raises(Fault, match=r"^allocation\.parameters: 1\.5; the smallest network has 14$"):
        ALLOCATIONS["target"](layers(16, 32), measure, parameters=1.5)


def test_a_target_below_one_filter_per_layer_is_refused():
    with pytest.raises(Fault, match="the smallest network has 14"):
        ALLOCATIONS["target"](layers(16, 32), measure, parameters=13)
