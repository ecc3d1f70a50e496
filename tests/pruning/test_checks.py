"""What a network must still do after surgery."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from stages.models.resnet import resnet8
from stages.pipeline.fault import Fault
from stages.pruning.checks import check_equivalence, check_training
from stages.pruning.surgery import compact_form
from stages.pruning.trace import sample
from tests.pruning import networks
from tests.pruning.helpers import lived_in, random_kept

SHAPE = (3, 16, 16)


def compact_of(network):
    return compact_form(network, random_kept(network, SHAPE))


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


def test_a_network_that_trains_on_passes():
    network = resnet8(10)
    check_training(network, compact_of(network), sample(SHAPE))


def test_a_branch_for_training_alone_is_named():
    network = networks.Auxiliary()
    with pytest.raises(Fault, match=r"in training mode .* fails at aux\.0 \(.*8 channels"):
        check_training(network, compact_of(network), sample(SHAPE))


def test_a_network_that_returns_no_logits_in_training_is_named():
    network = networks.Auxiliary(pair=True)
    with pytest.raises(Fault, match="in training mode the network returns a tuple"):
        check_training(network, network, sample(SHAPE))


def test_a_network_that_cannot_run_in_training_is_named():
    network = nn.Sequential(nn.Flatten(), nn.Bilinear(3, 3, 5))
    with pytest.raises(Fault, match=r"in training mode the network fails at 1 \("):
        check_training(network, network, sample(SHAPE))


def test_logits_of_another_shape_in_training_are_named():
    network = networks.Talkative()
    with pytest.raises(Fault, match=r"in training mode .* \[2, \d+\], the dense one \[2, 13\]"):
        check_training(network, compact_of(network), sample(SHAPE))


def test_a_trial_in_training_changes_nothing():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(), nn.Flatten())
    lived_in(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    check_training(network, network, sample(SHAPE))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert not network.training
    assert torch.equal(torch.get_rng_state(), state)
