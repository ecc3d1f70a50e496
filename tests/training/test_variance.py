"""Variances of channels: by hand, layer after layer, and where BatchNorm leaves nothing to do."""

from copy import deepcopy
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stages.images.prepared import ImageSet
from stages.models.preresnet import preresnet20
from stages.models.resnet import resnet8
from stages.training.recalibration import recalibrated
from stages.training.variance import matched, read_by_batchnorm


@pytest.fixture
def corners(data):
    """Four images of two pixels that are -1 or 1: of variance 1, and uncorrelated."""
    images = torch.tensor([[0, 0], [0, 255], [255, 0], [255, 255]], dtype=torch.uint8)
    half = torch.tensor([0.5])
    part = ImageSet(images.view(4, 1, 1, 2), torch.tensor([0, 1, 0, 1]))
    return replace(data, train=part, mean=half, std=half)


def linear(weight):
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, len(weight)), nn.ReLU(), nn.Linear(2, 3))
    network[1].weight.data = torch.tensor(weight)
    return network


def test_a_pruned_weight_by_hand(corners):
    """3 x + 4 y has variance 25, and 3 x has 9: it becomes 5 x; what is whole or gone stays."""
    dense, network = linear([[3.0, 4.0], [1.0, -1.0]]), linear([[3.0, 0.0], [1.0, -1.0]])
    others = [network[1].bias.clone(), *(p.clone() for p in network[3].parameters())]
    got = matched(network, dense, {}, network[3], corners, 8)
    torch.testing.assert_close(got[1].weight.data, torch.tensor([[5.0, 0.0], [1.0, -1.0]]))
    assert all(map(torch.equal, others, [got[1].bias, *got[3].parameters()]))


def test_a_smaller_network_has_the_variances_of_the_channels_it_kept(corners):
    """Of three channels the first and the third are left, whose variances are 25 and 16."""
    dense = nn.Sequential(nn.Flatten(), nn.Linear(2, 3))
    dense[1].weight.data = torch.tensor([[3.0, 4.0], [7.0, 7.0], [0.0, -4.0]])
    network = linear([[1.0, 0.0], [0.0, -2.0]])
    got = matched(network, dense, {"1.weight": {0: np.array([0, 2])}}, network[3], corners, 4)
    torch.testing.assert_close(got[1].weight.data, torch.tensor([[5.0, 0.0], [0.0, -4.0]]))


def test_channels_that_do_not_vary_stay(corners):
    dense, network = linear([[3.0, 4.0], [1.0, -1.0]]), linear([[0.0, 0.0], [1.0, -1.0]])
    assert not matched(network, dense, {}, network[3], corners, 4)[1].weight[0].any()


@pytest.mark.parametrize(("left", "scaled"), [(0.06, 5.0), (0.04, 0.04)])
def test_a_channel_that_has_lost_all_but_a_ten_thousandth_of_its_variance_stays(
    left, scaled, corners
):
    """Of 3 x + 4 y, of variance 25, that is 0.05 x: above it becomes 5 x, below it is a rest."""
    dense, network = linear([[3.0, 4.0], [1.0, -1.0]]), linear([[left, 0.0], [1.0, -1.0]])
    got = matched(network, dense, {}, network[3], corners, 4)
    torch.testing.assert_close(got[1].weight.data, torch.tensor([[scaled, 0.0], [1.0, -1.0]]))


class Twice(nn.Module):
    """One layer used twice, a convolution in a residual, another behind it, and a head."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.third = nn.Conv2d(4, 6, 3, groups=2)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = x + self.second(F.relu(self.second(x)))
        return self.head(self.third(input=x).mean((2, 3)))


def variances(network, images):
    found = {}

    def note(name, layer, inputs, out):
        found.setdefault(name, out.var((0, 2, 3), correction=0))

    for name in ("first", "second", "third"):
        network.get_submodule(name).register_forward_hook(partial(note, name))
    network(images)
    return found


@torch.no_grad()
def test_every_layer_varies_as_in_the_dense_network_though_all_before_it_changed(data):
    torch.manual_seed(0)
    dense = Twice()
    network = deepcopy(dense)
    gone = {name: torch.rand(p.shape) < 0.6 for name, p in network.named_parameters() if p.ndim > 1}
    for name, mask in gone.items():
        network.get_parameter(name).data[mask] = 0
    images = (data.train.images / 255 - data.mean) / data.std
    got = matched(network, dense, {}, network.head, data, len(images))
    found, expected = variances(got, images), variances(dense, images)
    for name, variance in expected.items():
        torch.testing.assert_close(found[name], variance, rtol=1e-4, atol=1e-6)
    assert all(not got.get_parameter(name)[mask].any() for name, mask in gone.items())
    assert torch.equal(got.head.bias, dense.head.bias)


def test_layers_that_batchnorm_alone_reads_are_told_from_those_others_read_too():
    images = torch.randn(2, 1, 8, 8)
    convs = {n for n, m in resnet8(3, 1, width=2).named_modules() if isinstance(m, nn.Conv2d)}
    assert read_by_batchnorm(resnet8(3, 1, width=2), images) == convs
    found = read_by_batchnorm(preresnet20(3, 1, width=2), images)
    assert found == {f"layer{s}.{b}.conv1" for s in (1, 2, 3) for b in (0, 1, 2)}


def test_behind_batchnorm_it_is_the_estimate_of_statistics_alone(data):
    dense = resnet8(3, 1, width=2)
    network = deepcopy(dense)
    network.layer2[0].conv1.weight.data[0, 0] = 0
    expected = recalibrated(network, data, 8).state_dict()
    got = matched(network, dense, {}, network.fc, data, 8).state_dict()
    assert all(torch.equal(got[name], tensor) for name, tensor in expected.items())


def test_where_a_residual_reads_a_convolution_it_is_scaled(data):
    dense = preresnet20(3, 1, width=2)
    network = deepcopy(dense)
    network.layer1[0].conv2.weight.data[0, 0] = 0
    before = network.layer1[0].conv2.weight.clone()
    got = matched(network, dense, {}, network.fc, data, len(data.train.labels))
    ratio = (got.layer1[0].conv2.weight[0, 1] / before[0, 1]).flatten()
    assert ratio.max() - ratio.min() < 1e-5
    assert ratio.mean() > 1
    assert not got.training
