"""Gradients cut to a length, against torch, and weight decay that spares, against timm."""

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stages.models.convnext import convnext_tiny_1d
from stages.models.vit import vit_tiny
from stages.pipeline.params import parse
from stages.replicates.settings import Compute
from stages.training.optimizer import Optimizer
from stages.training.settings import OPTIMIZER, Recipe

SGD = {"kind": "sgd", "weight_decay": 0.01}
ADAMW = {"kind": "adamw", "weight_decay": 0.05}


def optimizer(network, settings, **more):
    return Optimizer(network, parse(OPTIMIZER, settings), **more)


def torchs(groups, settings):
    kind = torch.optim.SGD if settings["kind"] == "sgd" else torch.optim.AdamW
    beta = {"momentum": 0.9} if settings["kind"] == "sgd" else {}
    return kind(groups, 0.01, weight_decay=settings["weight_decay"], **beta)


def backward(network, images, labels):
    F.cross_entropy(network(images / 255), labels).backward()


@pytest.mark.parametrize("clip", [0.01, 0.5, 1e6])
@pytest.mark.parametrize("settings", [SGD, ADAMW], ids=lambda s: s["kind"])
def test_clipped_steps_are_those_of_torch(settings, clip, network, image_set):
    ours, theirs = network(dropout=0), network(dropout=0)
    own, reference = optimizer(ours, settings, clip=clip), torchs(theirs.parameters(), settings)
    for step in range(12):
        part = image_set(8, step)
        backward(ours, part.images, part.labels)
        own.step(0.01, 0.9)
        backward(theirs, part.images, part.labels)
        norm = nn.utils.clip_grad_norm_(theirs.parameters(), clip)
        assert (norm > clip) == (clip < 1)
        reference.step()
        reference.zero_grad()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("clip", [1.0, 10.0])
def test_length_by_hand_leaves_out_what_is_pruned_and_what_is_frozen(clip):
    """Of (3, 100 pruned, 4) the length is 5; the frozen bias has 100 too. Cut to 1: 0.6 and 0.8."""
    layer = nn.Linear(3, 1)
    layer.weight.data.zero_()
    layer.bias.requires_grad_(False)
    masks = {"weight": torch.tensor([[True, False, True]])}
    own = optimizer(layer, {"kind": "sgd"}, masks=masks, clip=clip)
    layer.weight.grad, layer.bias.grad = torch.tensor([[3.0, 100.0, 4.0]]), torch.full((1,), 100.0)
    own.step(1.0, 0.0)
    scale = min(1.0, clip / 5)
    expected = torch.tensor([[-3 * scale, 0.0, -4 * scale]])
    assert torch.allclose(layer.weight.data, expected, atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_of_the_recipe_is_as_long_as_it_says(precision, begin, network, data):
    recipe = Recipe(batch_size=8, optimizer={"kind": "sgd", "momentum": 0.0}, clip=0.001)
    run = begin(recipe=recipe, network=network(dropout=0), compute=Compute(precision=precision))
    run.rates.momentum[:] = 0
    before = deepcopy(run.network)
    run.advance()
    moved = sum(
        (p - q).square().sum()
        for p, q in zip(run.network.parameters(), before.parameters(), strict=True)
    ).sqrt()
    steps = run.rates.lr[: run.rates.steps_per_epoch].sum() * 0.001
    assert 0.3 * steps < moved.item() <= 1.001 * steps


def decays(network, decayed="weights"):
    own = optimizer(network, ADAMW, decayed=decayed)
    return {own.names[i] for i in own.decayed}


def timms(name):
    timm = pytest.importorskip("timm")
    from timm.optim import param_groups_weight_decay

    with torch.device("meta"):
        network = timm.create_model(name)
    spared = getattr(network, "no_weight_decay", set)()
    groups = param_groups_weight_decay(network, 0.05, no_weight_decay_list=spared)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    return network, {
        names[id(p)] for group in groups for p in group["params"] if group["weight_decay"]
    }


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224",
        "deit_tiny_distilled_patch16_224",
        "swin_tiny_patch4_window7_224",
        "convnext_atto",
        "resnet18",
    ],
)
def test_decay_spares_what_timm_spares(name):
    network, expected = timms(name)
    assert decays(network) == expected


def test_decay_spares_positions_token_scales_norms_and_biases_of_our_own_networks():
    vit, convnext = vit_tiny(10, class_token=True, depth=1), convnext_tiny_1d(10, depths=(1, 1, 1))
    layers = ["attention.q", "attention.k", "attention.v", "attention.proj", "fc1", "fc2"]
    blocks = {f"blocks.0.{layer}.weight" for layer in layers}
    assert decays(vit) == {"patches.weight", "head.weight", *blocks}
    spared = {name for name, _ in convnext.named_parameters()} - decays(convnext)
    assert {name.rpartition(".")[2] for name in spared} == {"bias", "weight", "scale"}
    assert not any(name.endswith("fc1.weight") for name in spared)
    assert decays(vit, "all") == {name for name, _ in vit.named_parameters()}


@pytest.mark.parametrize("settings", [SGD, ADAMW], ids=lambda s: s["kind"])
def test_steps_with_spared_parameters_are_those_of_torchs_groups(settings, network, image_set):
    ours, theirs = network(dropout=0), network(dropout=0)
    own = optimizer(ours, settings, decayed="weights")
    large = [p for n, p in theirs.named_parameters() if n in ("0.weight", "5.weight")]
    small = [p for p in theirs.parameters() if all(p is not q for q in large)]
    assert len(small) == 3
    plain = {"params": small, "weight_decay": 0.0}
    reference = torchs([{"params": large}, plain], settings)
    for step in range(12):
        part = image_set(8, step)
        for each in (ours, theirs):
            backward(each, part.images, part.labels)
        own.step(0.01, 0.9)
        reference.step()
        reference.zero_grad()
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(p, q, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("settings", [SGD, ADAMW], ids=lambda s: s["kind"])
def test_where_all_that_is_trained_is_spared_nothing_decays(settings):
    """As in an arm that trains scales and shifts of normalisation alone."""
    norm = nn.BatchNorm1d(3)
    own = optimizer(norm, settings, decayed="weights")
    for parameter in own.parameters:
        parameter.grad = torch.zeros_like(parameter)
    own.step(0.5, 0.0)
    assert norm.weight.tolist() == [1, 1, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_clipped_steps_of_a_transformer_are_the_same_in_a_graph(
    begin, clipped_recipe, data, snapshot, same
):
    runs = []
    for graph in (True, False):
        torch.manual_seed(0)
        network = vit_tiny(3, 1, image=(6, 6), patch=(2, 2), width=16, depth=1).cuda()
        place = {"network": network, "data": data.to(torch.device("cuda"))}
        compute = Compute(graph=graph)
        run = begin(**place, recipe=clipped_recipe, compute=compute)
        losses = [run.advance() for _ in range(4)]
        runs.append((losses, snapshot(run)))
        assert (run.launch is run.step) is not graph
    assert runs[0][0] == runs[1][0]
    assert same(runs[0][1], runs[1][1])
