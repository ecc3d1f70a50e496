import pytest
import torch
import torch.nn.functional as F
import torch_pruning as tp
from torch import nn

from stages.models.resnet import resnet8
from stages.pipeline.fault import Fault
from stages.pruning.criteria.filters import FILTER_CRITERIA as CRITERIA
from tests.pruning.helpers import lived_in, random_batches


def one_conv(weight):
    conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], bias=False)
    conv.weight.data = weight.clone()
    return nn.Sequential(conv)


@pytest.fixture
def by_hand():
    """Three 1x1 filters on two channels: (3, -4), (0, 1), (3, -3)."""
    return one_conv(torch.tensor([[3.0, -4.0], [0.0, 1.0], [3.0, -3.0]])[..., None, None])


def small_net(classes=5):
    torch.manual_seed(0)
    return lived_in(
        nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
            nn.Conv2d(4, 6, 3),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(6, classes),
        )
    )


def test_l1_sums_absolute_weights(by_hand, generator):
    assert CRITERIA["l1"](by_hand, [], generator)["0"].tolist() == [7.0, 1.0, 6.0]


def test_l2_is_the_euclidean_norm(by_hand, generator):
    expected = torch.tensor([5.0, 1.0, 18**0.5])
    torch.testing.assert_close(CRITERIA["l2"](by_hand, [], generator)["0"], expected)


def test_fpgm_sums_the_distances_to_the_other_filters(by_hand, generator):
    first, second, between = 34**0.5, 5.0, 1.0  # |f0-f1|, |f1-f2|, |f0-f2|
    expected = torch.tensor([first + between, first + second, second + between])
    torch.testing.assert_close(CRITERIA["fpgm"](by_hand, [], generator)["0"], expected)


def test_fpgm_gives_equal_filters_equal_scores(generator):
    weight = torch.randn(1, 8, 3, 3).expand(40, -1, -1, -1)
    assert CRITERIA["fpgm"](one_conv(weight), [], generator)["0"].tolist() == [0.0] * 40


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("l1", tp.importance.MagnitudeImportance(p=1, normalizer=None, group_reduction="first")),
        ("l2", tp.importance.MagnitudeImportance(p=2, normalizer=None, group_reduction="first")),
        ("fpgm", tp.importance.FPGMImportance(p=1, normalizer=None, group_reduction="first")),
    ],
)
def test_scores_rank_as_torch_prunings_do(name, reference, generator):
    network = small_net()
    network[3].weight.data.abs_()  # its geometric median compares absolute weights
    graph = tp.DependencyGraph().build_dependency(network, (torch.randn(1, 3, 8, 8),))
    group = graph.get_pruning_group(network[3], tp.prune_conv_out_channels, list(range(6)))
    ours = CRITERIA[name](network, [], generator)["3"]
    assert ours.argsort().tolist() == reference(group).argsort().tolist()


def by_gates(network, batch, position):
    """(gate * gradient)^2, from a gate of 1 put into the network after a module."""
    images, labels = batch
    x = images
    for number, module in enumerate(network):
        x = module(x)
        if number == position:
            gate = torch.ones(x.shape[1], requires_grad=True)
            x = x * gate[:, None, None]
    (gradient,) = torch.autograd.grad(F.cross_entropy(x, labels), gate)
    return gradient.square()


def test_taylor_equals_explicit_gates_after_the_filters(generator):
    network, batches = small_net(), random_batches((3, 8, 8), sizes=(6,))
    scores = CRITERIA["taylor"](network, batches, generator)
    torch.testing.assert_close(scores["0"], by_gates(network, batches[0], 0))


def test_taylor_equals_explicit_gates_after_the_batchnorm(generator):
    network, batches = small_net(), random_batches((3, 8, 8), sizes=(6,))
    scores = CRITERIA["taylor"](network, batches, generator, gate="batchnorm")
    torch.testing.assert_close(scores["1"], by_gates(network, batches[0], 1))


@pytest.mark.parametrize(("momentum", "shares"), [(0.9, (0.81, 0.09, 0.1)), (None, (1 / 3,) * 3)])
def test_taylor_averages_over_batches(momentum, shares, generator):
    network, batches = small_net(), random_batches((3, 8, 8), sizes=(6, 6, 6))
    scores = CRITERIA["taylor"](network, batches, generator, momentum=momentum)
    each = [by_gates(network, batch, 0) for batch in batches]
    expected = sum(share * value for share, value in zip(shares, each, strict=True))
    torch.testing.assert_close(scores["0"], expected)


def test_hrank_averages_ranks_over_images_not_batches(generator):
    network = one_conv(torch.tensor([1.0, 2.0])[:, None, None, None])
    full, single = torch.eye(4)[None], torch.ones(1, 4, 4)
    images = torch.stack([full, full, single])
    labels = torch.zeros(3, dtype=torch.long)
    batches = [(images[:2], labels[:2]), (images[2:], labels[2:])]
    assert CRITERIA["hrank"](network, batches, generator)["0"].tolist() == [3.0, 3.0]


def test_hrank_looks_behind_the_batchnorm_and_the_relu(generator):
    network = nn.Sequential(*one_conv(torch.ones(2, 1, 1, 1)), nn.BatchNorm2d(2)).eval()
    network[1].bias.data = torch.tensor([0.0, -2.0])
    batch = (torch.eye(4)[None, None], torch.zeros(1, dtype=torch.long))
    assert CRITERIA["hrank"](network, [batch], generator)["0"].tolist() == [4.0, 0.0]


def test_slimming_is_the_absolute_batchnorm_scale(generator):
    network = small_net()
    network[1].weight.data = torch.tensor([0.5, -2.0, 0.0, 1.0])
    assert CRITERIA["slimming"](network, [], generator)["1"].tolist() == [0.5, 2.0, 0.0, 1.0]


def test_random_scores_follow_the_generator_alone():
    draw = CRITERIA["random"]
    first = draw(small_net(), [], torch.Generator().manual_seed(3))
    torch.manual_seed(99)
    again = draw(small_net(), [], torch.Generator().manual_seed(3))
    other = draw(small_net(), [], torch.Generator().manual_seed(4))
    assert torch.equal(first["3"], again["3"])
    assert not torch.equal(first["3"], other["3"])


@pytest.mark.parametrize("name", ["taylor", "hrank"])
def test_criteria_on_data_ask_for_batches(name, generator):
    with pytest.raises(Fault, match="at least one batch"):
        CRITERIA[name](small_net(), [], generator)


@pytest.mark.parametrize("name", CRITERIA)
def test_no_criterion_changes_the_network(name, generator):
    network = lived_in(resnet8(5)).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.get_rng_state()
    CRITERIA[name](network, random_batches((3, 8, 8)), generator)
    after = network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(state, torch.get_rng_state())
