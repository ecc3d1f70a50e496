"""The compact network computes what the network with silent channels computes."""

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from stages.models.convnet import convnet, convnet_1d
from stages.models.densenet import densenet40
from stages.models.preresnet import preresnet20
from stages.models.resnet import resnet8, resnet20
from stages.models.vgg import vgg16_bn
from stages.networks.compact import cut
from stages.pruning.checks import check_equivalence
from stages.pruning.surgery import compact_form, masked_form
from stages.pruning.trace import sample
from tests.pruning import networks
from tests.pruning.helpers import lived_in, random_kept

SHAPE = (3, 16, 16)


def check(network, shape=SHAPE, scope="all"):
    lived_in(network)
    indices = random_kept(network, shape, scope)
    compact = compact_form(network, indices)
    check_equivalence(masked_form(network, indices), compact, sample(shape))
    before, after = (sum(p.numel() for p in n.parameters()) for n in (network, compact))
    assert after < before
    return compact


@pytest.mark.parametrize("scope", ["blocks", "all"])
@pytest.mark.parametrize("factory", [resnet20, preresnet20, vgg16_bn])
def test_cifar_networks_lose_filters_exactly(factory, scope):
    check(factory(10), scope=scope)


@pytest.mark.parametrize(("factory", "shape"), [(convnet, (1, 28, 28)), (convnet_1d, (1, 1, 40))])
def test_plain_networks_lose_filters_exactly(factory, shape):
    check(factory(10), shape)


def test_densenet_loses_filters_exactly():
    check(densenet40(10, growth=4), (3, 8, 8))


def test_imagenet_resnet18_loses_filters_exactly():
    check(torchvision.models.resnet18(), (3, 32, 32))


@pytest.mark.slow
@pytest.mark.parametrize("scope", ["blocks", "all"])
@pytest.mark.parametrize(
    "name",
    ["resnet34", "resnet50", "mobilenet_v2", "efficientnet_b0", "mobilenet_v3_small",
     "squeezenet1_1", "regnet_y_400mf", "resnext50_32x4d", "mnasnet0_5", "densenet121"],
)  # fmt: skip
def test_torchvision_networks_lose_filters_exactly(name, scope):
    check(getattr(torchvision.models, name)(), (3, 64, 64), scope)


@pytest.mark.parametrize(
    "factory",
    [networks.Chunked, networks.FixedView, networks.Flattened, networks.ConvHead, networks.Shared,
     networks.PaddedShortcut, networks.Grouped, networks.Excited, networks.Attended,
     networks.InputResidual, networks.Concatenated, networks.Normalised, networks.Shuffled,
     networks.Plain, networks.Parametric],
)  # fmt: skip
def test_networks_with_other_ties_lose_filters_exactly(factory):
    check(factory())


def test_a_pruned_network_can_be_pruned_again():
    check(check(check(resnet20(10))))


def test_the_shortcut_of_a_pruned_network_copies_the_surviving_inputs():
    network = resnet8(10, width=4)  # layer 2's shortcut: 4 channels to 8
    indices = {
        "layer2.0.shortcut.source": {0: np.array([0, 1, 3, 6]), 1: np.array([1, 3])},
    }
    compact = cut(network.state_dict(), indices)
    assert compact["layer2.0.shortcut.source"].tolist() == [-1, 0, 1, -1]


def test_a_masked_form_is_silent_in_every_tensor_and_keeps_the_shapes():
    network = lived_in(resnet8(10))
    indices = random_kept(network, SHAPE, "blocks")
    silent = masked_form(network, indices).state_dict()
    alive = indices["layer1.0.bn1.weight"][0]
    gone = torch.from_numpy(np.setdiff1d(np.arange(16), alive))
    for leaf in ("conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean"):
        assert not silent[f"layer1.0.{leaf}"][gone].any()
    assert not silent["layer1.0.conv2.weight"][:, gone].any()
    assert {n: t.shape for n, t in silent.items()} == {
        n: t.shape for n, t in network.state_dict().items()
    }


def test_surgery_leaves_the_network_itself_alone():
    network = lived_in(resnet8(10))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    indices = random_kept(network, SHAPE)
    compact_form(network, indices)
    masked_form(network, indices)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("factory", [networks.Plain, networks.Parametric])
def test_a_compact_network_knows_its_own_widths(factory):
    network = factory()
    lived_in(network)
    compact = compact_form(network, random_kept(network, SHAPE))
    for name, module in compact.named_modules():
        if isinstance(module, nn.BatchNorm2d) and module.track_running_stats:
            assert module.num_features == len(module.running_mean) < 8, name
        if isinstance(module, nn.PReLU):
            assert module.num_parameters == len(module.weight)
