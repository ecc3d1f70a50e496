import pytest
import torch
from torch import nn

from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.pruning.prune import prune
from stages.pruning.settings import ITERATIVE
from stages.pruning.step import apply


def rounds(granularity, criterion, allocation, rounds):
    entry = {
        "granularity": granularity,
        "criterion": criterion,
        "allocation": allocation,
        "rounds": rounds,
    }
    return [m.allocation.options for m in parse(ITERATIVE, entry).methods()]


def test_weights_are_removed_geometrically():
    """Le & Hua 2021, iterative magnitude pruning: 1 - 0.7^k of all weights, k = 1..9."""
    found = rounds("weight", "magnitude", {"kind": "global", "sparsity": 0.3}, 9)
    assert [o["sparsity"] for o in found] == pytest.approx([1 - 0.7**k for k in range(1, 10)])


def test_filters_are_removed_from_what_is_left():
    found = rounds("filter", "l1", {"kind": "per_stage", "ratios": [0.1, 0.15, 0.2]}, 8)
    assert [o["ratios"] for o in found] == [(0.1, 0.15, 0.2)] * 8


def test_given_shares_are_of_what_the_round_before_left():
    filters = rounds("filter", "l1", {"kind": "uniform", "ratio": 0.5}, [0.2, 0.4])
    assert [o["ratio"] for o in filters] == [0.2, 0.4]
    weights = rounds("weight", "magnitude", {"kind": "global", "sparsity": 0.5}, [0.5, 0.5])
    assert [o["sparsity"] for o in weights] == pytest.approx([0.5, 0.75])


CUBIC = [
    (3, 0.9, [19 / 30, 13 / 15, 0.9]),  # 0.9 (1 - (2/3)^3), 0.9 (1 - (1/3)^3)
    (4, 0.8, [37 / 80, 0.7, 63 / 80, 0.8]),  # 0.8 (1 - 27/64), (1 - 1/8), (1 - 1/64)
    (1, 0.55, [0.55]),
]


@pytest.mark.parametrize(("steps", "final", "expected"), CUBIC)
def test_gradual_pruning_follows_the_cube(steps, final, expected):
    """Zhu & Gupta 2018: s(t) = s_f (1 - (1 - t / (n delta))^3), most of it in the first rounds."""
    cubic = {"kind": "cubic", "steps": steps}
    weights = rounds("weight", "magnitude", {"kind": "global", "sparsity": final}, cubic)
    assert [o["sparsity"] for o in weights] == expected
    filters = rounds("filter", "l1", {"kind": "uniform", "ratio": final}, cubic)
    assert [o["ratio"] for o in filters] == expected


@pytest.mark.parametrize("kind", ["uniform", "global"])
def test_filters_of_gradual_pruning_are_as_many_as_pruned_at_once(kind):
    """0.5 in 4 rounds: of 8 filters 8 (1 - 37 / 128), 4.5, 4.06 and 4 are left, rounded down."""
    cubic = {"kind": "cubic", "steps": 4}
    allocation = {"kind": kind, "ratio": 0.5}
    entry = {"granularity": "filter", "criterion": "l1", "allocation": allocation, "rounds": cubic}
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 5, 1))
    dense, left = None, []
    for method in parse(ITERATIVE, entry).methods():
        pruned = prune(network, [], method, torch.Generator(), (3, 8, 8), dense=dense)
        network, dense = apply(network, pruned), pruned.dense
        left.append(pruned.widths["0"])
    assert left == ([5, 4, 4, 4] if kind == "uniform" else [6, 4, 4, 4])


def test_gradual_pruning_needs_an_allocation_with_one_amount():
    with pytest.raises(Fault, match=r"rounds: cubic needs an allocation with a ratio, not 'per_st"):
        rounds(
            *("filter", "l1", {"kind": "per_stage", "ratios": [0.1]}),
            {"kind": "cubic", "steps": 2},
        )


def test_a_list_needs_an_allocation_with_one_amount():
    with pytest.raises(Fault, match=r"rounds: a list needs an allocation with a ratio"):
        rounds("filter", "l1", {"kind": "per_stage", "ratios": [0.1]}, [0.5])


def test_rounds_are_no_option_of_the_criterion():
    entry = {
        "granularity": "filter",
        "criterion": "taylor",
        "momentum": 0.5,
        "allocation": {"kind": "uniform", "ratio": 0.5},
        "rounds": 2,
    }
    for method in parse(ITERATIVE, entry).methods():
        assert method.options == {"momentum": 0.5, "gate": "filter"}


@pytest.mark.parametrize("bad", [0, [], [0.0], [1.0]])
def test_rounds_out_of_range_are_faults(bad):
    with pytest.raises(Fault, match="rounds"):
        rounds("weight", "magnitude", {"kind": "global", "sparsity": 0.5}, bad)
