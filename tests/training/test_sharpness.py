"""Sharpness-aware minimisation against its equations, written out with torch's own optimizer."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from stages.pipeline.params import parse
from stages.training.extras import Extras
from stages.training.optimizer import Optimizer
from stages.training.settings import OPTIMIZER
from stages.training.sharpness import worst_nearby

SGD = parse(OPTIMIZER, {"kind": "sgd", "weight_decay": 0.01})


def test_weights_move_by_rho_along_the_gradient_and_come_back():
    """The gradient of 3 w1 + 4 w2 is (3, 4), of norm 5: rho 0.5 moves by (0.3, 0.4)."""
    network = nn.Linear(2, 1, bias=False)
    network.weight.data.copy_(torch.tensor([[1.0, -1.0]]))
    before = network.weight.detach().clone()
    optimizer, image = Optimizer(network, SGD), torch.tensor([[3.0, 4.0]])
    network(image).sum().backward()
    with worst_nearby(network, optimizer, 0.5):
        torch.testing.assert_close(network.weight.data, torch.tensor([[1.3, -0.6]]))
        network(image).square().sum().backward()
    assert torch.equal(network.weight.data, before)
    expected = 2 * (1.3 * 3 - 0.6 * 4) * image
    torch.testing.assert_close(network.weight.grad, expected)


def test_a_gradient_of_zero_moves_nothing():
    network = nn.Linear(2, 1)
    before, optimizer = network.weight.detach().clone(), Optimizer(network, SGD)
    (network(torch.ones(1, 2)) * 0).sum().backward()
    with worst_nearby(network, optimizer, 0.5):
        assert torch.equal(network.weight, before)
        network(torch.ones(1, 2)).sum().backward()


def test_a_pass_that_fails_leaves_weights_and_batchnorm_as_they_were():
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    before, optimizer = network[0].weight.detach().clone(), Optimizer(network, SGD)
    network(torch.rand(4, 2)).square().sum().backward()
    with pytest.raises(MemoryError), worst_nearby(network, optimizer, 0.5):
        raise MemoryError
    assert torch.equal(network[0].weight, before)
    assert network[1].track_running_stats


@pytest.fixture
def begun(begin, masked):
    """Return a function that begins a run of a network half pruned, without dropout."""

    def make(rho):
        own, masks = masked
        own = deepcopy(own)
        own[4].p = 0.0
        extras = Extras(rho=rho)
        return begin(network=own, masks=masks, optimizer=Optimizer(own, SGD, masks), extras=extras)

    return make


def test_a_run_follows_the_equations(begun):
    """Each step: e = rho g / ||g||; the gradient at w + e; torch's SGD from w."""
    run = begun(0.1)
    theirs = deepcopy(run.network)
    reference = torch.optim.SGD(theirs.parameters(), 0.1, 0.9, weight_decay=0.01)
    masks = dict(run.masks)

    def gradient(images, labels):
        reference.zero_grad()
        nn.functional.cross_entropy(theirs(images), labels).backward()
        for name, parameter in theirs.named_parameters():
            parameter.grad.mul_(masks.get(name, torch.ones(())))
        return [p.grad.clone() for p in theirs.parameters()]

    inner, rates = run.step._loss, []

    def follow(images, labels):
        if not run.follows:
            return inner(images, labels)
        run.follows = False
        theirs.train()
        g = gradient(images, labels)
        moved = deepcopy(dict(theirs.named_buffers()))
        norm = torch.sqrt(sum(part.square().sum() for part in g))
        weights = [p.detach().clone() for p in theirs.parameters()]
        with torch.no_grad():
            for parameter, part in zip(theirs.parameters(), g, strict=True):
                parameter += 0.1 * part / norm
        gradient(images, labels)
        with torch.no_grad():
            for parameter, weight in zip(theirs.parameters(), weights, strict=True):
                parameter.copy_(weight)
            for name, buffer in theirs.named_buffers():
                buffer.copy_(moved[name])
        return inner(images, labels)

    def step(lr, momentum):
        reference.param_groups[0].update(lr=float(lr), momentum=float(momentum))
        reference.step()
        ours(lr, momentum)
        rates.append(lr)
        run.follows = True

    run.follows, run.step._loss, ours = True, follow, run.optimizer.step
    run.optimizer.step = step
    for _ in range(2):
        run.advance()
    assert len(rates) == 6
    buffers = dict(theirs.named_buffers())
    for name, buffer in run.network.named_buffers():
        torch.testing.assert_close(buffer, buffers[name], rtol=1e-4, atol=1e-5)
    for name, parameter in run.network.named_parameters():
        expected = theirs.get_parameter(name) * masks.get(name, torch.ones(()))
        torch.testing.assert_close(parameter, expected, rtol=1e-4, atol=1e-5)


def test_pruned_weights_stay_zero_and_training_differs(begun):
    plain, sharp = begun(0.0), begun(0.5)
    first = [run.advance() for run in (plain, sharp)]
    assert first[0] != first[1]
    for name, mask in sharp.masks.items():
        weight = sharp.network.get_parameter(name)
        assert not weight[~mask].any()
        assert weight[mask].all()
    counted = [run.network[1].num_batches_tracked for run in (plain, sharp)]
    assert counted == [3, 3]
    assert sharp.network[1].track_running_stats
