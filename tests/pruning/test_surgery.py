"""The compact network computes what the network with silent channels computes."""

import copy

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from stages.fault import Fault
from stages.models.compact import cut
from stages.models.densenet import densenet40
from stages.models.preresnet import preresnet20
from stages.models.resnet import resnet8, resnet20
from stages.models.vgg import vgg16_bn
from stages.pruning.channels import kept
from stages.pruning.surgery import check_equivalence, compact_form, masked_form
from stages.pruning.trace import sample, trace
from tests.pruning import networks
from tests.pruning.helpers import lived_in

SHAPE = (3, 16, 16)


def random_kept(network, shape, scope="all", seed=0):
    """Keep about half of every group's units, drawn at random, at least one."""
    rng = np.random.default_rng(seed)
    groups = [g for g in trace(network, shape).groups if scope == "all" or not g.coupled]
    chosen = {g.name: rng.random(g.width) < 0.5 for g in groups}
    for group in groups:
        chosen[group.name][rng.integers(group.width)] = True
    return kept(groups, chosen)


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
     networks.InputResidual, networks.Concatenated, networks.Normalised, networks.Shuffled],
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


def test_zeroing_only_the_weights_leaves_the_batchnorm_shift_behind():
    network = lived_in(resnet8(10))
    indices = random_kept(network, SHAPE, "blocks")
    half_silent = copy.deepcopy(network)
    for name, dims in indices.items():
        if name.endswith("conv1.weight"):
            gone = np.setdiff1d(np.arange(network.get_parameter(name).shape[0]), dims.get(0, []))
            half_silent.get_parameter(name).data[torch.from_numpy(gone)] = 0
    with pytest.raises(Fault, match=r"differ by .*, first at layer1\.0\.conv2;"):
        check_equivalence(half_silent, compact_form(network, indices), sample(SHAPE))


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


def test_a_network_that_computes_nan_is_not_equivalent():
    network = lived_in(nn.Sequential(nn.Conv2d(3, 4, 16), nn.Flatten()))
    broken = copy.deepcopy(network)
    broken[0].bias.data[0] = float("nan")
    with pytest.raises(Fault, match="differ"):
        check_equivalence(broken, network, sample(SHAPE))


def test_a_compact_network_that_cannot_run_is_a_fault():
    broken = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 6, 3))
    with pytest.raises(Fault, match="cannot run"):
        check_equivalence(nn.Identity(), broken, sample(SHAPE))


def test_logits_of_another_shape_are_not_equivalent():
    narrow, wide = resnet8(5), resnet8(6)
    with pytest.raises(Fault, match=r"\[2, 6\] against \[2, 5\]"):
        check_equivalence(narrow, wide, sample(SHAPE))
