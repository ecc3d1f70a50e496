from copy import deepcopy

import pytest
import torch
from torch import nn

from stages.images.normalise import normalise
from stages.training.inference import logits
from stages.training.recalibration import recalibrated


@pytest.fixture
def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(48, 3))


def test_statistics_are_the_mean_of_those_of_whole_batches(network, data):
    anew = recalibrated(network, data, batch_size=8)[1]
    with torch.no_grad():
        parts = normalise(data.train.images[:24], data.mean, data.std).split(8)
        outputs = [network[0](part) for part in parts]
    means = torch.stack([out.mean((0, 2, 3)) for out in outputs]).mean(0)
    variances = torch.stack([out.var((0, 2, 3)) for out in outputs]).mean(0)
    assert torch.allclose(anew.running_mean, means, rtol=1e-5, atol=1e-6)
    assert torch.allclose(anew.running_var, variances, rtol=1e-4)


def test_the_network_itself_and_its_weights_stay(network, data):
    before = deepcopy(network.state_dict())
    anew = recalibrated(network, data, batch_size=8)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(
        torch.equal(p, q) for p, q in zip(network.parameters(), anew.parameters(), strict=True)
    )
    assert not anew.training


def test_the_copy_moves_its_statistics_in_training_as_the_network_does(network, data):
    """Without a momentum of its own they would be the mean of all batches ever since."""
    network[1].momentum = 0.3
    assert recalibrated(network, data, batch_size=8)[1].momentum == 0.3


def test_spoiled_statistics_come_back(network, data):
    healthy = recalibrated(network, data, batch_size=26)
    spoiled = deepcopy(healthy)
    spoiled[1].running_mean.fill_(50.0)
    mended = recalibrated(spoiled, data, batch_size=26)
    ours, theirs = (
        logits(n.eval(), data.test.images, data.mean, data.std, 5) for n in (mended, healthy)
    )
    assert torch.equal(ours, theirs)


def test_statistics_of_fewer_images_than_a_batch_are_those_of_one(network, data):
    whole, larger = (recalibrated(network, data, size)[1] for size in (26, 100))
    assert torch.equal(whole.running_mean, larger.running_mean)
    assert torch.equal(whole.running_var, larger.running_var)
    assert whole.num_batches_tracked == larger.num_batches_tracked == 1


def test_layers_other_than_batchnorm_are_in_evaluation_mode(network, data):
    """Dropout would draw other statistics, from a generator that nothing seeds."""
    with_dropout = nn.Sequential(nn.Dropout(0.9), *network).train()
    found = recalibrated(with_dropout, data, 26)[2]
    assert torch.equal(found.running_mean, recalibrated(network, data, 26)[1].running_mean)


def test_a_network_without_batchnorm_stays_as_it_is(data):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(36, 3))
    network[1].forward = lambda images: pytest.fail("an image passed")
    anew = recalibrated(network, data, batch_size=100)
    assert torch.equal(network[1].weight, anew[1].weight)
    assert not anew.training
