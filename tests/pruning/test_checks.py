"""What a network must still do after surgery."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from stages.models.resnet import resnet8
from stages.pipeline.fault import Fault
from stages.pruning.checks import check_equivalence, check_finite, check_training
from stages.pruning.structured import verify
from stages.pruning.surgery import compact_form, masked_form
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


def test_the_first_layer_that_differs_is_named_among_tokens_too():
    """A silent neuron of layer 2 is gone, so that its sums agree; the bias of layer 3 differs."""
    layers = (nn.Linear(n, m) for n, m in ((256, 8), (8, 6), (6, 5)))
    network = nn.Sequential(nn.Flatten(2), *layers)
    five = {0: np.arange(5)}
    left = {"2.weight": five, "2.bias": five, "3.weight": {1: np.arange(5)}}
    smaller = compact_form(network, left)
    smaller[3].bias.data += 1
    with pytest.raises(Fault, match=r"differ by .*, first at 3;"):
        check_equivalence(masked_form(network, left), smaller, sample(SHAPE))


class Scaled(nn.Module):
    """Logits [2, 3] that are given, whatever the images."""

    def __init__(self, logits, single=False):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))
        self.single = single

    def forward(self, images):
        if self.single and images.dtype != torch.float32:
            raise RuntimeError("expected float32")
        return self.logits.expand(2, 3)


INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("masked", "compact", "difference"),
    [
        ([1.0, 2.0, -4.0], [1.0, 2.0, -4.0], 0.0),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], 0.0),
        ([1.0, 2.0, -4.0], [1.0, 2.0, -3.0], 1 / 4),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 1e-30], INF),
        # relative to the logits, however small or large
        ([1e-8, 2e-8, -4e-8], [1e-8, 2e-8, -3e-8], 1 / 4),
        ([1e12, 2e12, -4e12], [1e12, 2e12, -3e12], 1 / 4),
        # what overflows must do so in both; the rest is compared
        ([1.0, INF, -4.0], [1.0, INF, -4.0], 0.0),
        ([1.0, NAN, -4.0], [1.0, NAN, -4.0], 0.0),
        ([NAN, NAN, NAN], [NAN, NAN, NAN], 0.0),
        ([1.0, INF, -4.0], [1.0, INF, -3.0], 1 / 4),
        ([1.0, INF, -4.0], [1.0, 2.0, -4.0], INF),
        ([1.0, 2.0, -4.0], [1.0, NAN, -4.0], INF),
    ],
)
@pytest.mark.parametrize("single", [False, True])
def test_logits_are_compared_where_they_are_finite_and_by_their_size(
    masked, compact, difference, single
):
    networks = Scaled(masked, single), Scaled(compact, single)
    if difference == 0:
        assert check_equivalence(*networks, sample(SHAPE)) == 0
        return
    with pytest.raises(Fault, match=f"differ by {difference:.2g} of the largest"):
        check_equivalence(*networks, sample(SHAPE))
    if difference < 1:
        found = check_equivalence(*networks, sample(SHAPE), tolerance=0.3)
        assert found == pytest.approx(difference, rel=1e-5)


def test_rounding_is_no_difference():
    """In float32 the sum of 1e4 and its opposite leaves nothing of 1e-4, in another order all."""

    class Summed(nn.Module):
        def __init__(self, order):
            super().__init__()
            self.parts = nn.Parameter(torch.tensor([1e4, 1e-4, -1e4])[order])

        def forward(self, images):
            first, second, third = self.parts
            return ((first + second) + third).expand(2, 3)

    one, other = Summed([0, 1, 2]), Summed([0, 2, 1])
    assert float(one(None)[0, 0].detach()) != float(other(None)[0, 0].detach())
    assert check_equivalence(one, other, sample(SHAPE)) < 1e-5


def test_a_network_whose_own_logits_are_not_finite_is_blamed_itself():
    check_finite(Scaled([1.0, 2.0, 3.0]), sample(SHAPE))
    with pytest.raises(Fault, match=r"^prune: 4 of 6 logits of the network itself are not finite"):
        check_finite(Scaled([1.0, INF, NAN]), sample(SHAPE))


def test_pruning_blames_the_network_whose_logits_are_not_finite():
    network = lived_in(resnet8(10))
    network.fc.bias.data[0] = NAN
    with pytest.raises(Fault, match="of the network itself are not finite"):
        verify(network, random_kept(network, SHAPE, "blocks"), SHAPE)


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
