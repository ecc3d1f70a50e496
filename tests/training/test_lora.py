"""Adapters: by hand, in convolutions and attentions, in the step that is captured."""

from copy import deepcopy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stages.pipeline.params import parse
from stages.training.averaging import Averaging
from stages.training.extras import Extras
from stages.training.lora import Adapter, adapt, merged, places
from stages.training.optimizer import Optimizer
from stages.training.settings import OPTIMIZER
from tests.training.test_graph import recorded, replaying, steady

__all__ = ["recorded", "steady"]

WEIGHT = torch.tensor([[1.0, 0.0], [2.0, 3.0]])
MASK = torch.tensor([[True, False], [True, True]])


def by_hand(mask=MASK):
    """Rank 1, alpha 2: twice the product of (1, -1) and (1, 2)."""
    adapter = Adapter(WEIGHT, 1, 2.0, mask, torch.Generator())
    with torch.no_grad():
        adapter.a.copy_(torch.tensor([[1.0, 2.0]]))
        adapter.b.copy_(torch.tensor([[1.0], [-1.0]]))
    return adapter


def test_the_forward_pass_by_hand():
    """B A is [[1, 2], [-1, -2]]; under the mask [[1, 0], [-1, -2]]."""
    assert by_hand()(WEIGHT).tolist() == [[3, 0], [0, -1]]
    assert by_hand(None)(WEIGHT).tolist() == [[3, 4], [0, -1]]


def test_the_gradients_by_hand():
    """Of the sum of all weights: 2 (mask A^T) for B and 2 (B^T mask) for A."""
    adapter = by_hand()
    adapter(WEIGHT).sum().backward()
    assert adapter.b.grad.tolist() == [[2], [6]]
    assert adapter.a.grad.tolist() == [[0, -2]]


def adapted(network, masks=None, rank=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for place in [*places(network)]:
        mask = (masks or {}).get(place.name)
        adapt(place, Adapter(place.weight, rank, 3.0, mask, generator))
    return network


def moved(network):
    """Give B values, so that the update is not 0."""
    chance = torch.Generator().manual_seed(7)
    for name, parameter in network.named_parameters():
        if name.endswith(".b"):
            parameter.data.normal_(generator=chance)
    return network


def test_training_starts_at_the_weights_as_they_are_and_a_is_drawn_from_the_seed(network):
    plain = network()
    one, same, other = (adapted(deepcopy(plain), seed=seed) for seed in (1, 1, 2))
    for name, weight in plain.named_parameters():
        assert torch.equal(merged(one)[name], weight)
    drawn = [net[0].parametrizations.weight[0].a for net in (one, same, other)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert drawn[0].shape == (2, 9)
    assert 0.2 < drawn[0].abs().max() <= 1 / 3


@pytest.mark.parametrize("groups", [1, 2])
def test_a_convolution_computes_with_the_merged_weight(groups):
    layer = nn.Conv2d(4, 6, 3, groups=groups)
    weight, bias = layer.weight.detach().clone(), layer.bias
    net = moved(adapted(nn.Sequential(layer)))
    adapter, images = layer.parametrizations.weight[0], torch.randn(2, 4, 5, 5)
    whole = weight + 1.5 * (adapter.b @ adapter.a).view_as(weight)
    assert torch.equal(net(images), F.conv2d(images, whole, bias, groups=groups))
    assert torch.equal(merged(net)["0.weight"], whole)


def test_an_attention_is_adapted_whole():
    net = nn.Sequential(nn.MultiheadAttention(4, 2, batch_first=True))
    assert {place.name for place in places(net)} == {"0.in_proj_weight", "0.out_proj.weight"}
    before, tokens = deepcopy(net), torch.randn(2, 3, 4)
    moved(adapted(net))
    before.load_state_dict(
        {**before.state_dict(), **{k: merged(net)[k] for k in dict(before.named_parameters())}}
    )
    for mode in (True, False):
        net.train(mode)
        before.train(mode)
        found, expected = (each[0](tokens, tokens, tokens)[0] for each in (net, before))
        torch.testing.assert_close(found, expected)


def test_the_update_is_float32_in_a_step_of_bfloat16():
    adapter = by_hand()
    with torch.no_grad():
        adapter.a.mul_(1 + 2**-12)
    exact = adapter(WEIGHT)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(adapter(WEIGHT), exact)


def test_without_adapters_merged_weights_are_the_parameters(network):
    net = network()
    own = merged(net)
    assert own.keys() == dict(net.named_parameters()).keys()
    assert all(own[name] is parameter for name, parameter in net.named_parameters())


def test_the_factors_of_an_adapter_decay_as_the_weight_would_and_biases_do_not():
    """By SGD at rate 0.5 and a decay of 0.1, without a gradient: to 0.95 of what they were."""
    layer = nn.Linear(2, 2)
    adapt(*places(nn.Sequential(layer)), by_hand())
    settings = parse(OPTIMIZER, {"kind": "sgd", "weight_decay": 0.1})
    own, bias = Optimizer(layer, settings, decayed="weights"), layer.bias.detach().clone()
    for parameter in own.parameters:
        parameter.grad = torch.zeros_like(parameter)
    own.step(0.5, 0.0)
    adapter = layer.parametrizations.weight[0]
    torch.testing.assert_close(adapter.a.data, torch.tensor([[0.95, 1.9]]))
    torch.testing.assert_close(adapter.b.data, torch.tensor([[0.95], [-0.95]]))
    assert torch.equal(layer.bias, bias)


@pytest.fixture
def run(begin, masked):
    """Return a function that begins a run whose pruned network has adapters."""

    def make(**parts):
        net, masks = (deepcopy(part) for part in masked)
        net[4].p = 0.0
        plain, optimizer = deepcopy(net), begin().recipe.optimizer
        adapted(net, masks)
        average = Averaging(plain, np.ones(12))
        whole = {"optimizer": Optimizer(net, optimizer), "masks": masks, **parts}
        return begin(network=net, extras=Extras(averaging=average), **whole)

    return make


def test_a_run_leaves_a_network_without_adapters_whose_pruned_weights_are_zero(run, masked):
    own, (plain, masks) = run(), masked
    own.advance()
    assert own.result.state_dict().keys() == plain.state_dict().keys()
    for name, mask in masks.items():
        weight, before = own.result.get_parameter(name), plain.get_parameter(name)
        assert not weight[~mask].any()
        assert not torch.equal(weight, before)
    images = own.data.test.images.float()
    own.network.eval()
    assert torch.equal(own.network(images), own.result.eval()(images))
    assert torch.equal(own.network[0].parametrizations.weight.original, plain[0].weight)


def test_a_run_with_adapters_goes_on_from_its_state_to_the_same_bits(run, snapshot, same):
    whole, first, second = run(), run(), run()
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    second.restore(snapshot(first), 2)
    for _ in range(2):
        second.advance()
    assert same(snapshot(second), snapshot(whole))


def test_replayed_epochs_with_adapters_are_the_eager_ones_to_the_bit(run, recorded, snapshot, same):
    eager, graphed = run(), run()
    losses = [eager.advance() for _ in range(4)]
    replaying(graphed)
    assert [graphed.advance() for _ in range(4)] == losses
    assert same(snapshot(graphed), snapshot(eager))
    assert recorded == [graphed.step]
