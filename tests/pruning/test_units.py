"""Neurons of linear layers are found, scored and cut as filters are."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
import torchvision
from torch import nn
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from stages.evaluation.cost import cost
from stages.models.vgg import vgg16_bn
from stages.networks.compact import cut
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.pruning.checks import check_equivalence
from stages.pruning.criteria.filters import FILTER_CRITERIA
from stages.pruning.prune import prune, widths_without_data
from stages.pruning.settings import METHOD
from stages.pruning.step import apply
from stages.pruning.structured import structure
from stages.pruning.surgery import compact_form, masked_form
from stages.pruning.trace import sample, trace
from tests.pruning import networks
from tests.pruning.helpers import filters, lived_in, random_batches, random_kept

SHAPE = (3, 16, 16)
NEURONS = ("neurons",)


def classifier():
    """A convolution, then hidden layers with BatchNorm, dropout and an activation as in VGG."""
    return nn.Sequential(
        *(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()),
        *(nn.Linear(16, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout()),
        *(nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 5)),
    )


def convnext():
    return ConvNeXt([CNBlockConfig(8, 12, 1), CNBlockConfig(12, None, 1)], num_classes=5)


def perceptron():
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


def swin():
    return torchvision.models.SwinTransformer([4, 4], 8, [1, 1], [2, 2], [2, 2], num_classes=5)


class Gated(nn.Module):
    """Two linear layers make the hidden units, one as the gate of the other (SwiGLU)."""

    def __init__(self):
        super().__init__()
        self.value, self.gate, self.out = nn.Linear(48, 6), nn.Linear(48, 6), nn.Linear(6, 5)

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)
        return self.out(self.value(x) * nn.functional.silu(self.gate(x)))


WIDTHS = {
    classifier: {"4": 12, "8": 8},
    convnext: {"features.1.0.block.3": 32, "features.3.0.block.3": 48},
    swin: {"features.1.0.mlp.0": 32, "features.3.0.mlp.0": 64},
    Gated: {"value": 6},
    networks.Excited: {"squeeze": 4},
}


@pytest.mark.parametrize("factory", WIDTHS)
def test_hidden_units_are_found_and_leave_exactly(factory):
    network = lived_in(factory())
    found = trace(network, SHAPE, NEURONS)
    assert {group.name: group.width for group in found.groups} == WIDTHS[factory]
    assert not any(group.coupled for group in found.groups)
    kept = random_kept(network, SHAPE, units=NEURONS)
    compact = compact_form(network, kept)
    check_equivalence(masked_form(network, kept), compact, sample(SHAPE))


def test_the_option_at_its_default_is_the_method_without_it():
    entry = {"granularity": "filter", "criterion": "l1"}
    entry["allocation"] = {"kind": "uniform", "ratio": 0.5}
    without, said, others = (
        parse(METHOD, entry | more).method()
        for more in ({}, {"units": ["channels"]}, {"units": ["heads", "neurons"]})
    )
    assert without == said
    assert without.units == ("channels",)
    assert others == replace(without, units=("heads", "neurons"))


def test_by_default_linear_layers_stay():
    assert {group.name for group in trace(classifier(), SHAPE).groups} == {"0"}
    both = trace(classifier(), SHAPE, ("channels", "neurons")).groups
    assert [group.name for group in both] == ["0", "4", "8"]


@pytest.mark.parametrize("criterion", FILTER_CRITERIA)
def test_neurons_change_no_score_of_channels_alone(criterion):
    """A gate that a linear layer makes is scored by it only where neurons are pruned too."""
    network = lived_in(networks.Excited())
    score = partial(FILTER_CRITERIA[criterion], network, random_batches(SHAPE))
    alone, said = (score(torch.Generator().manual_seed(0), *u) for u in ((), (("channels",),)))
    assert alone.keys() == said.keys()
    assert all(torch.equal(alone[name], said[name]) for name in alone)
    assert not {"squeeze", "excite", "fc"} & alone.keys()


def test_the_smallest_rows_go_by_hand():
    network = perceptron()
    rows = torch.tensor([[3.0, -3, 0, 0], [0, 0, 1, 0], [0, 1, -1, 1]])
    network[1].weight.data = rows
    method = filters("uniform", units=NEURONS, ratio=0.34)
    pruned = prune(network, [], method, torch.Generator(), (1, 2, 2))
    assert pruned.widths == {"1": 1}
    method = filters("widths", units=NEURONS, widths={"1": 2})
    pruned = prune(network, [], method, torch.Generator(), (1, 2, 2))
    compact = apply(network, pruned)
    assert torch.equal(compact[1].weight, rows[[0, 2]])
    assert torch.equal(compact[3].weight, network[3].weight[:, [0, 2]])
    size = cost(compact, (1, 2, 2))
    assert (size.parameters, size.macs) == (2 * 4 + 2 + 2 * 2 + 2, 2 * 4 + 2 * 2)
    assert pruned.fraction == 1 - 16 / 23


@pytest.mark.parametrize("criterion", ["l1", "l2", "fpgm", "taylor", "random"])
@pytest.mark.parametrize("factory", [classifier, convnext])
def test_every_criterion_scores_neurons_and_the_measure_is_the_size(factory, criterion):
    network = lived_in(factory())
    method = filters("global", criterion, units=NEURONS, ratio=0.4, minimum=2)
    batches = random_batches(SHAPE)
    pruned = prune(network, batches, method, torch.Generator().manual_seed(0), SHAPE)
    measured = structure(network, SHAPE, "blocks", NEURONS).measure(pruned.widths)
    counted = cost(apply(network, pruned), SHAPE)
    assert (measured.parameters, measured.macs) == (counted.parameters, counted.macs)


def test_a_budget_of_macs_takes_channels_and_neurons():
    network = lived_in(classifier())
    method = filters("target", units=("channels", "neurons"), macs=0.5)
    pruned = prune(network, [], method, torch.Generator(), SHAPE)
    assert list(pruned.widths) == ["0", "4", "8"]
    assert cost(apply(network, pruned), SHAPE).macs <= 0.5 * cost(network, SHAPE).macs


def test_a_trained_compact_network_is_the_trained_silent_one():
    torch.manual_seed(0)
    network = lived_in(classifier())
    network[7].p = 0.0
    kept = random_kept(network, SHAPE, units=("channels", "neurons"))
    silent, compact = masked_form(network, kept), compact_form(network, kept)
    for trained in (silent, compact):
        steps(trained, random_batches(SHAPE, sizes=(8, 8, 8)))
    for name, tensor in cut(silent.state_dict(), kept).items():
        assert torch.allclose(tensor, compact.state_dict()[name], atol=1e-5), name


def steps(network, batches):
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, weight_decay=1e-3)
    for images, labels in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()


def test_a_network_without_convolutions_names_the_option():
    method = filters("uniform", ratio=0.5)
    with pytest.raises(Fault) as caught:
        prune(perceptron(), [], method, torch.Generator(), (1, 2, 2))
    assert str(caught.value) == (
        "scope: 'blocks' admits no convolution of Sequential: it has none; "
        "units: [neurons] would admit others"
    )
    with pytest.raises(Fault) as caught:
        widths_without_data(swin(), method, SHAPE)
    assert str(caught.value).startswith(
        "scope: 'blocks' admits no convolution of SwinTransformer: the channels of features.0.0 "
    )


def test_what_cannot_be_pruned_is_named():
    refused = trace(convnext(), SHAPE, NEURONS).refused
    assert refused["classifier.2"] == "reach the output"
    averages = "pass LayerNorm2d, which averages over all of them, silent ones too"
    assert refused["features.1.0.block.5"] == averages
    assert trace(convnext(), SHAPE).refused["features.0.0"] == averages
    method = filters("uniform", units=NEURONS, ratio=0.5)
    with pytest.raises(Fault) as caught:
        widths_without_data(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), method, (1, 2, 2))
    assert str(caught.value) == (
        "scope: 'blocks' admits no neurons of Sequential: the neurons of 1 reach the output"
    )


def test_surgery_leaves_a_linear_network_alone():
    network = lived_in(vgg16_bn(10))
    before = copy.deepcopy(network.state_dict())
    trace(network, (3, 32, 32), ("channels", "neurons"))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


class Packed(nn.Module):
    """The halves of what one layer makes are value and gate; a neuron is one of each."""

    def __init__(self):
        super().__init__()
        self.both, self.out = nn.Linear(48, 12), nn.Linear(6, 5)

    def forward(self, x):
        value, gate = self.both(nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)).chunk(2, -1)
        return self.out(value * nn.functional.silu(gate))


def test_the_two_halves_of_a_layer_s_outputs_are_no_neurons():
    refused = trace(Packed(), SHAPE, NEURONS).refused
    assert refused["both"].startswith("do not survive a trial (")
