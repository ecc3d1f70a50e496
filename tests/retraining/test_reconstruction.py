"""A pruned network trained block by block to the dense one's activations."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from stages.networks import compact
from stages.networks.building import Spec, build
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.pruning.method import Allocation, Method
from stages.pruning.prune import prune
from stages.pruning.step import apply, write_pruned
from stages.pruning.surgery import masked_form
from stages.replicates.settings import Compute
from stages.retraining.blocks import blocks, marked, on_kept, seen, without_blocks
from stages.retraining.objective import Reconstruct
from stages.retraining.reconstruction import (
    Pair,
    calibration,
    fit_block,
    learning_rates,
    prepare,
    reconstruct,
    spent,
)
from stages.retraining.technique import Technique

SHAPE = (1, 8, 8)
FILTERS = Method("filter", "l1", Allocation("uniform", {"ratio": 0.5}))
METHODS = {
    "inside blocks": FILTERS,
    "everywhere": replace(FILTERS, scope="all"),
    "weights": Method("weight", "magnitude", Allocation("global", {"sparsity": 0.7})),
}
NETWORKS = [
    Spec("stages/models/resnet.py", "resnet8", {"width": 8}, 3, 1),
    Spec("stages/models/preresnet.py", "preresnet20", {"width": 4}, 3, 1),
    Spec("stages/models/convnet.py", "convnet", {"width": 8}, 3, 1),
    Spec("stages/models/densenet.py", "densenet40", {"growth": 4}, 3, 1),
]
EVERY = [*NETWORKS[:-1], pytest.param(NETWORKS[-1], marks=pytest.mark.slow)]
VIT = Spec("stages/models/vit.py", "vit_tiny", {"image": [8, 8], "depth": 3, "width": 8}, 3, 1)
LAYERS = ["layer1.0", "layer2.0", "layer3.0"]
LITTLE = Reconstruct(kind="reconstruct", samples=16, passes=4)


def settled(spec):
    """Return a network in evaluation mode whose statistics are those of some images."""
    network = build(spec, 0).train()
    with torch.no_grad():
        for seed in range(8):
            network(images(32, seed))
    return network.eval()


def images(number, seed=0):
    return torch.randn(number, *SHAPE, generator=torch.Generator().manual_seed(seed))


def chance():
    return torch.Generator().manual_seed(1)


def pruned(spec, method):
    dense = settled(spec)
    found = prune(dense, (), method, chance(), SHAPE)
    return Pair(apply(dense, found).eval(), dense, found.masks, found.kept)


def test_a_linear_block_approaches_its_least_squares():
    """With the masked columns out, each output is an ordinary regression on the others."""
    generator = chance()
    given = torch.randn(64, 6, generator=generator) + torch.randn(64, 1, generator=generator)
    dense, block = nn.Linear(6, 3, bias=False), nn.Linear(6, 3, bias=False)
    with torch.no_grad():
        dense.weight.copy_(torch.randn(3, 6, generator=generator))
    target = dense(given).detach()
    mask = torch.rand(3, 6, generator=generator) > 0.4
    with torch.no_grad():
        block.weight.copy_(dense.weight * mask)
    best = torch.zeros(3, 6)
    for row in range(3):
        solution = torch.linalg.lstsq(given[:, mask[row]], target[:, row : row + 1]).solution
        best[row, mask[row]] = solution.flatten()
    least = float(mse_loss(given @ best.T, target))
    settings = Reconstruct(kind="reconstruct", passes=200, batch_size=16, lr=0.02)
    before, after = fit_block(block, (given, target), {"weight": mask}, settings, generator)
    assert before > 1.2 * least > 0
    assert after == pytest.approx(least, rel=1e-3)
    torch.testing.assert_close(block.weight.detach(), best, atol=1e-2, rtol=0)
    assert not block.weight[~mask].any()


def test_the_learning_rate_rises_for_a_tenth_and_falls_to_nothing():
    expected = [0.0, 0.5, 1.0, *(1 - k / 18 for k in range(1, 18))]
    np.testing.assert_allclose(learning_rates(20, 0.3), 0.3 * np.array(expected), atol=1e-15)


@pytest.mark.parametrize("inputs", ["sparse", "dense"])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_the_loss_of_each_block_falls_and_what_is_pruned_stays_so(method, inputs):
    pair = pruned(NETWORKS[0], method)
    buffers = {name: b.clone() for name, b in pair.network.named_buffers()}
    settings = LITTLE.model_copy(update={"inputs": inputs})
    losses = reconstruct(pair, images(16), settings, chance())
    assert list(losses) == ["conv1", "bn1", *LAYERS, "fc"]
    for name, (before, after) in losses.items():
        assert after < before or before < 1e-12, name
    assert all(losses[name][1] < 0.8 * losses[name][0] for name in LAYERS)
    for name, mask in pair.masks.items():
        assert not pair.network.get_parameter(name)[~mask].any()
    assert all(torch.equal(b, buffers[name]) for name, b in pair.network.named_buffers())
    given, target = seen(pair.network, "fc", images(16))[0], pair.dense(images(16))
    if inputs == "dense":
        whole, marks = seen(pair.dense, "fc", images(16))[0], marked(pair.dense, pair.kept)
        given = on_kept(whole, seen(marks, "fc", images(1))[0], given.shape, "fc")
    assert losses["fc"][1] == pytest.approx(mse_loss(pair.network.fc(given), target).item())


@pytest.mark.parametrize("method", [METHODS["everywhere"], METHODS["weights"]])
@pytest.mark.parametrize("spec", EVERY, ids=["resnet", "preresnet", "convnet", "densenet"])
def test_it_works_on_every_kind_of_network(spec, method):
    pair = pruned(spec, method)
    before = float(mse_loss(pair.network(images(16)), pair.dense(images(16))))
    losses = reconstruct(pair, images(16), LITTLE, chance())
    assert list(losses) == blocks(pair.dense, images(2))
    assert float(mse_loss(pair.network(images(16)), pair.dense(images(16)))) < before


@pytest.mark.parametrize("spec", EVERY, ids=["resnet", "preresnet", "convnet", "densenet"])
def test_channels_of_a_block_are_those_that_a_silenced_network_keeps(spec):
    """A compact network is the dense one with the others at 0, so its blocks give the same."""
    pair = pruned(spec, METHODS["everywhere"])
    silent, marks = masked_form(pair.dense, pair.kept), marked(pair.dense, pair.kept)
    smaller = 0
    for name in blocks(pair.network, images(2)):
        ours, whole = seen(pair.network, name, images(4)), seen(silent, name, images(4))
        for part, full, mark in zip(ours, whole, seen(marks, name, images(1)), strict=True):
            smaller += part.shape != full.shape
            torch.testing.assert_close(on_kept(full, mark, part.shape, name), part)
    assert smaller > 0


def test_each_module_of_a_list_is_a_block():
    """Free Lunch's unit is one transformer block."""
    expected = ["patches", "blocks.0", "blocks.1", "blocks.2", "norm", "head"]
    assert blocks(build(VIT, 0).eval(), images(2)) == expected
    losses = reconstruct(pruned(VIT, METHODS["weights"]), images(8), LITTLE, chance())
    assert list(losses) == expected
    layers = [f"features.{index}" for index in (0, 1, 3, 4, 6, 7)]
    assert blocks(build(NETWORKS[2], 0).eval(), images(2)) == [*layers, "fc"]


class Split(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.a(x), self.b(x)


class Joined(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, pair):
        return pair[0] + self.weight * pair[1]


class Lists(nn.Module):
    """A list that is not called but gone through, and one whose modules give pairs."""

    def __init__(self):
        super().__init__()
        self.deep = nn.Sequential(nn.Sequential(Split(), Joined()), nn.ReLU(), nn.Linear(4, 3))
        self.each = nn.ModuleList([nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 4), nn.ReLU())])

    def forward(self, x):
        x = x.flatten(1)[:, :4]
        for layer in self.each:
            x = layer(x)
        return self.deep(x)


def test_a_list_is_a_block_where_its_modules_are_none():
    assert blocks(Lists(), images(2)) == ["each.0", "each.1.0", "deep.0", "deep.2"]


class Activated(nn.Module):
    def __init__(self):
        super().__init__()
        self.act, self.conv = nn.SiLU(inplace=True), nn.Conv2d(4, 4, 3)

    def forward(self, x):
        return self.conv(self.act(x))


class InPlace(nn.Module):
    """Overwrites what bn1 gave, as torchvision's ResNets do, and what block takes."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.block, self.fc = Activated(), nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu_(self.bn1(self.conv1(x))) - 0.5
        return self.fc(self.block(x).mean((2, 3)))


@pytest.mark.parametrize("inputs", ["sparse", "dense"])
def test_what_a_network_overwrites_in_place_is_seen_as_it_was(inputs):
    torch.manual_seed(0)
    dense, given = InPlace().eval(), images(16)
    ours = copy.deepcopy(dense)
    bn1, settings = dense.conv1(given), LITTLE.model_copy(update={"inputs": inputs})
    assert torch.equal(seen(dense, "bn1", given)[1], dense.bn1(bn1))
    assert torch.equal(seen(dense, "block", given)[0], torch.relu(dense.bn1(bn1)) - 0.5)
    losses = reconstruct(Pair(ours, dense, {}, {}), given, settings, chance())
    assert set(losses.values()) == {(0.0, 0.0)}
    assert all(torch.equal(t, dense.state_dict()[name]) for name, t in ours.state_dict().items())


def test_the_same_draw_gives_the_same_bits_and_labels_take_no_part(data):
    def weights(seed, data):
        network = nn.Sequential(nn.Flatten(), nn.Linear(36, 3, bias=False))
        dense = copy.deepcopy(network)
        with torch.no_grad():
            network[1].weight.fill_(0.1)
            dense[1].weight.fill_(0.2)
        given, order = calibration(data, 8, seed, 1)
        reconstruct(Pair(network, dense, {}, {}), given, LITTLE, order)
        return network[1].weight

    other = replace(data, train=replace(data.train, labels=data.train.labels.flip(0)))
    assert torch.equal(weights(0, data), weights(0, other))
    assert not torch.equal(weights(0, data), weights(1, data))


def test_a_block_whose_loss_does_not_fall_is_left_as_it_was():
    block = nn.Linear(4, 2)
    given = torch.randn(8, 4, generator=chance())
    target, state = block(given).detach(), copy.deepcopy(block.state_dict())
    assert fit_block(block, (given, target), {}, LITTLE, chance()) == (0.0, 0.0)
    assert all(torch.equal(t, state[name]) for name, t in block.state_dict().items())
    with torch.no_grad():
        block.weight.fill_(1e30)
    state = copy.deepcopy(block.state_dict())
    first, last = fit_block(block, (given, target), {}, LITTLE, chance())
    assert first == last == float("inf")
    assert all(torch.equal(t, state[name]) for name, t in block.state_dict().items())


def test_its_cost_by_hand():
    """128 of 1280 images: 10 passes of 300 MACs; 6 blocks of 300 + 900, and 600, a third each."""
    settings = Reconstruct(kind="reconstruct", passes=10)
    expected = 0.1 * (10 * 300 + (6 * (300 + 900) + 2 * 300) / 3)
    assert spent(6, settings, 0.1, (300, 900)) == pytest.approx(expected)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_it_finds_in_files_what_pruning_left(method, tmp_path, data):
    spec, pair = NETWORKS[0], pruned(NETWORKS[0], method)
    compact.save(tmp_path / "dense.safetensors", pair.dense, spec)
    write_pruned(tmp_path, "replicate_0", pair.network, spec, pair.kept, pair.masks)
    files = tmp_path / "dense.safetensors", tmp_path / "masks" / "replicate_0.safetensors"
    network = compact.load(tmp_path / "networks" / "replicate_0.safetensors")
    cost = prepare(network, files, data, LITTLE, (3, 2), Compute(device="cpu"))
    given, order = calibration(data, LITTLE.samples, 3, 2)
    reconstruct(pair, given, LITTLE, order)
    for name, tensor in pair.network.state_dict().items():
        assert torch.equal(network.state_dict()[name], tensor), name
    assert cost > 0


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.b(self.b(self.a(x.flatten(1)[:, :4])))


class Several(nn.Module):
    def __init__(self):
        super().__init__()
        self.both = nn.Bilinear(4, 4, 3)

    def forward(self, x):
        x = x.flatten(1)[:, :4]
        return self.both(x, x)


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (Twice(), "objective: the block b is called 2 times in a forward pass; it should be once"),
        (Several(), "objective: the block both does not take one tensor and give one"),
    ],
)
def test_blocks_that_are_none_are_told_before_anything_is_trained(network, told):
    assert list(without_blocks(network, ["mine"], SHAPE)) == [f"retrain.schedules.mine.{told}"]
    assert list(without_blocks(build(NETWORKS[0], 0), ["mine"], SHAPE)) == []


def test_channels_that_cannot_be_told_apart_are_a_fault():
    with pytest.raises(Fault, match=r"of the 4 channels of the block x 2 are left, but .* of 3"):
        on_kept(torch.zeros(2, 4), torch.tensor([[1.0, 0, 1, 1]]), (2, 2), "x")


def test_a_word_stands_for_all_defaults():
    word, mapping = ({"objective": each} for each in ("reconstruct", {"kind": "reconstruct"}))
    assert parse(Technique, word) == parse(Technique, mapping)
    changed = parse(Technique, {"objective": {"kind": "reconstruct", "samples": 9}}).changed()
    assert parse(Technique, changed).objective.samples == 9
    assert Technique().changed() == {}
