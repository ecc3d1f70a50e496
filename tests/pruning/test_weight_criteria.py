import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stages.models.resnet import resnet8
from stages.models.vit import vit_tiny
from stages.pipeline.fault import Fault
from stages.pruning.criteria.weights import WEIGHT_CRITERIA as CRITERIA
from tests.pruning.helpers import lived_in, random_batches


def small_net():
    torch.manual_seed(0)
    return lived_in(
        nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(4 * 36, 5),
        )
    )


def gradients(network, images, labels):
    loss = F.cross_entropy(network(images), labels)
    return torch.autograd.grad(loss, [network[0].weight, network[4].weight])


@pytest.mark.parametrize("name", CRITERIA)
def test_exactly_conv_and_linear_weights_are_scored_in_their_shapes(name, generator):
    scores = CRITERIA[name](small_net(), random_batches((3, 8, 8)), generator)
    shapes = {key: tuple(value.shape) for key, value in scores.items()}
    assert shapes == {"0.weight": (4, 3, 3, 3), "4.weight": (5, 144)}


def test_magnitude_is_the_absolute_weight(generator):
    network = small_net()
    scores = CRITERIA["magnitude"](network, [], generator)
    assert torch.equal(scores["0.weight"], network[0].weight.abs())


def test_snip_uses_the_gradient_over_all_images_however_they_are_batched(generator):
    network, batches = small_net(), random_batches((3, 8, 8), sizes=(5, 5, 2))
    images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
    expected = (network[0].weight * gradients(network, images, labels)[0]).abs()
    scores = CRITERIA["snip"](network, batches, generator)["0.weight"]
    torch.testing.assert_close(scores / scores.sum(), expected / expected.sum())


def test_taylor_averages_squares_over_batches(generator):
    network, batches = small_net(), random_batches((3, 8, 8), sizes=(5, 5))
    first, second = ((network[4].weight * gradients(network, *b)[1]).square() for b in batches)
    scores = CRITERIA["taylor"](network, batches, generator, momentum=0.9)
    torch.testing.assert_close(scores["4.weight"], 0.9 * first + 0.1 * second)


def test_synflow_sums_the_paths_through_a_weight(generator):
    network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(2, 1))
    network[0].weight.data = torch.tensor([2.0, -3.0])[:, None, None, None]
    network[3].weight.data = torch.tensor([[-5.0, 7.0]])
    batch = (torch.full((4, 1, 1, 1), -8.0), torch.zeros(4, dtype=torch.long))
    scores = CRITERIA["synflow"](network, [batch], generator)
    assert scores["0.weight"].flatten().tolist() == [10.0, 21.0]
    assert scores["3.weight"].flatten().tolist() == [10.0, 21.0]


def test_synflow_conserves_flow_from_layer_to_layer(generator):
    network = lived_in(resnet8(5, width=4))
    scores = CRITERIA["synflow"](network, random_batches((3, 8, 8)), generator)
    stem, head = scores["conv1.weight"].sum(), scores["fc.weight"].sum()
    torch.testing.assert_close(stem, head)


def test_synflow_refuses_a_network_that_does_not_become_linear(generator):
    network = vit_tiny(5, 3, image=(8, 8), patch=(4, 4), width=8, depth=2, heads=2)
    with pytest.raises(Fault, match=r"^criterion: synflow scores .* below 0: the network does not"):
        CRITERIA["synflow"](network, random_batches((3, 8, 8)), generator)


@pytest.mark.parametrize("name", ["snip", "taylor", "synflow"])
def test_criteria_on_data_ask_for_batches(name, generator):
    with pytest.raises(Fault, match="one batch"):
        CRITERIA[name](small_net(), [], generator)


@pytest.mark.parametrize("name", CRITERIA)
def test_no_criterion_changes_the_network(name, generator):
    network = small_net().train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    CRITERIA[name](network, random_batches((3, 8, 8)), generator)
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("name", CRITERIA)
def test_no_criterion_changes_how_a_network_trains(name, generator):
    network = resnet8(5).train()
    network.layer1.eval()
    network.layer2.requires_grad_(False)
    modes = [module.training for module in network.modules()]
    frozen = [parameter.requires_grad for parameter in network.parameters()]
    CRITERIA[name](network, random_batches((3, 8, 8)), generator)
    assert [module.training for module in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()] == frozen
    assert all(parameter.grad is None for parameter in network.parameters())


class Idle(nn.Module):
    """A network with a layer that no image passes."""

    def __init__(self):
        super().__init__()
        self.used, self.idle = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, images):
        return self.used(images.flatten(1))


@pytest.mark.parametrize("name", ["snip", "taylor"])
def test_a_layer_that_no_image_passes_scores_0(name, generator):
    scores = CRITERIA[name](Idle(), random_batches((1, 2, 2), classes=3), generator)
    assert scores["used.weight"].any()
    assert not scores["idle.weight"].any()


def test_a_network_of_a_single_layer_names_its_weight(generator):
    assert CRITERIA["magnitude"](nn.Linear(2, 1), [], generator).keys() == {"weight"}
