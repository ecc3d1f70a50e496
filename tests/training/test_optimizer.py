from copy import deepcopy
from itertools import product

import pytest
import torch
import torch.nn.functional as F

from stages.fault import Fault
from stages.training.optimizer import SGD

STEPS = 25
SETTINGS = [
    (momentum, decay, nesterov)
    for momentum, decay, nesterov in product((0.0, 0.9), (0.0, 0.01), (False, True))
    if momentum or not nesterov
]


@pytest.fixture
def batches(image_set):
    parts = [image_set(8, seed) for seed in range(STEPS)]
    return [(part.images / 255, part.labels) for part in parts]


def backward(network, batch):
    images, labels = batch
    F.cross_entropy(network(images), labels).backward()


def distance(one, other):
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    return max(((p - q).norm() / q.norm()).item() for p, q in pairs)


def lr_at(step):
    return 0.2 / (1 + step)


def momentum_at(step, start):
    return start and start - 0.01 * step


@pytest.mark.parametrize(("momentum", "decay", "nesterov"), SETTINGS)
def test_it_is_torchs_sgd_while_lr_and_momentum_change_at_every_step(
    momentum, decay, nesterov, network, batches
):
    ours, theirs = network(dropout=0), network(dropout=0)
    sgd = SGD(ours, decay, nesterov)
    reference = torch.optim.SGD(
        theirs.parameters(), 0.1, momentum, weight_decay=decay, nesterov=nesterov
    )
    for step, batch in enumerate(batches):
        lr, now = lr_at(step), momentum_at(step, momentum)
        backward(ours, batch)
        sgd.step(lr, now)
        backward(theirs, batch)
        reference.param_groups[0].update(lr=lr, momentum=now)
        reference.step()
        reference.zero_grad()
    assert distance(ours, theirs) <= 1e-6
    assert distance(ours, network(dropout=0)) > 1e-3


def test_numbers_on_the_device_give_the_bits_of_numbers(network, batches):
    one, other = network(dropout=0), network(dropout=0)
    numbers, tensors = SGD(one, 0.01, True), SGD(other, 0.01, True)
    for batch in batches[:3]:
        backward(one, batch)
        backward(other, batch)
        numbers.step(0.125, 0.75)
        tensors.step(torch.tensor(0.125), torch.tensor(0.75))
    assert all(map(torch.equal, one.parameters(), other.parameters()))


def test_a_velocity_continues_another_run(network, batches):
    whole = network(dropout=0)
    sgd = SGD(whole, 0.01, False)
    for batch in batches[:5]:
        backward(whole, batch)
        sgd.step(0.1, 0.9)
    resumed = deepcopy(whole)
    given = {name: buffer.clone() for name, buffer in sgd.velocity().items()}
    kept = deepcopy(given)
    again = SGD(resumed, 0.01, False, velocity=given)
    for batch in batches[5:10]:
        for net, optimizer in ((whole, sgd), (resumed, again)):
            backward(net, batch)
            optimizer.step(0.1, 0.9)
    assert all(map(torch.equal, whole.parameters(), resumed.parameters()))
    assert all(torch.equal(given[name], kept[name]) for name in given)


def test_pruned_weights_stay_zero_through_decay_and_momentum(masked, batches):
    network, masks = masked
    sgd = SGD(network, 0.1, True, masks)
    for batch in batches:
        backward(network, batch)
        sgd.step(0.1, 0.9)
        for name, mask in masks.items():
            assert not network.get_parameter(name)[~mask].any()
            assert not sgd.velocity()[name][~mask].any()
    assert all(network.get_parameter(name)[mask].all() for name, mask in masks.items())


def test_the_momentum_of_a_dense_run_revives_no_pruned_weight(masked, batches):
    """Trap 8: the buffers of the dense run are not zero where the mask is."""
    network, masks = masked
    velocity = {name: torch.ones_like(p) for name, p in network.named_parameters()}
    sgd = SGD(network, 0.0, False, masks, velocity)
    backward(network, batches[0])
    sgd.step(0.1, 0.9)
    for name, mask in masks.items():
        assert not network.get_parameter(name)[~mask].any()


def test_masks_leave_the_other_weights_as_without_masks(masked, batches):
    network, masks = masked
    free = deepcopy(network)
    held, loose = SGD(network, 0.01, False, masks), SGD(free, 0.01, False)
    for net, optimizer in ((network.eval(), held), (free.eval(), loose)):
        backward(net, batches[0])
        optimizer.step(0.1, 0.9)
    for name, parameter in network.named_parameters():
        mask = masks.get(name, torch.ones_like(parameter, dtype=torch.bool))
        assert torch.equal(parameter[mask], free.get_parameter(name)[mask])
    assert not torch.equal(network[5].weight, free[5].weight)


def test_gradients_are_gone_after_a_step(network, batches):
    net = network()
    backward(net, batches[0])
    SGD(net, 0.0, False).step(0.1, 0.9)
    assert all(p.grad is None for p in net.parameters())


def test_a_frozen_parameter_is_left_alone(network, batches):
    net = network()
    net[0].weight.requires_grad_(False)
    before = net[0].weight.clone()
    backward(net, batches[0])
    SGD(net, 0.1, False).step(0.1, 0.9)
    assert torch.equal(net[0].weight, before)


def test_a_parameter_without_gradient_is_named(network, batches):
    net = network()
    net.add_module("aside", torch.nn.Linear(2, 2))
    sgd = SGD(net, 0.0, False)
    net[:6](batches[0][0]).sum().backward()
    with pytest.raises(Fault, match=r"^aside\.weight: the loss does not depend on it"):
        sgd.step(0.1, 0.9)
