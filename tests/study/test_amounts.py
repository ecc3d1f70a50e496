import pytest
import torch
from torch import nn

from stages.pipeline.params import parse
from stages.pruning.settings import Prune
from stages.study.amounts import amount_of, amounts, with_amount


def entry(granularity="filter", criterion="l1", **allocation):
    methods = {"m": {"granularity": granularity, "criterion": criterion, "allocation": allocation}}
    found: Prune = parse(Prune, {"method": "m", "methods": methods})
    return found.methods["m"]


class Block(nn.Module):
    """One convolution of four filters that can be pruned, inside a residual block."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.first = nn.Conv2d(8, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 8, 3, padding=1)
        self.head = nn.Linear(8, 10)

    def forward(self, images):
        x = self.stem(images)
        return self.head((x + self.second(torch.relu(self.first(x)))).mean((2, 3)))


SHAPE = (1, 8, 8)


def test_of_ratios_that_leave_as_many_filters_the_smallest_stands_for_all():
    """int(4 * (1 - ratio)), and at least 1, stay: 3 from 0.1 on, 2 from 0.3 on, 1 from 0.6 on."""
    assert amounts(Block(), entry(kind="uniform", ratio=0.7), SHAPE, 0.1) == [0.1, 0.3, 0.6]


def test_a_coarse_step_has_few_networks():
    assert amounts(Block(), entry(kind="uniform", ratio=0.7), SHAPE, 0.5) == [0.5]


@pytest.mark.parametrize(
    "method",
    [
        entry(kind="global", ratio=0.7),
        entry("weight", "magnitude", kind="global", sparsity=0.9),
    ],
)
def test_where_sizes_depend_on_scores_every_step_counts(method):
    assert amounts(Block(), method, SHAPE, 0.25) == [0.25, 0.5, 0.75]


@pytest.mark.parametrize(
    ("method", "name"),
    [
        (entry(kind="uniform", ratio=0.7), "ratio"),
        (entry("weight", "magnitude", kind="erk", sparsity=0.9), "sparsity"),
        (entry(kind="target", macs=0.5), None),
        (entry("weight", "magnitude", kind="n_m"), None),
    ],
)
def test_the_amount_is_a_ratio_or_a_sparsity(method, name):
    assert amount_of(method) == name


def test_another_amount_changes_nothing_else():
    before = entry(kind="uniform", ratio=0.7)
    after = with_amount(before, 0.4).method()
    assert after.allocation.options == {**before.method().allocation.options, "ratio": 0.4}
    assert before.method().allocation.options["ratio"] == 0.7
