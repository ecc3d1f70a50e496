"""What is trained: counted by hand, for networks of every kind of layer."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from stages.models.resnet import resnet8
from stages.pipeline.fault import Fault
from stages.pipeline.params import parse
from stages.retraining.settings import SCHEDULE
from stages.retraining.technique import Technique
from stages.retraining.trainable import freeze, missing_parts
from stages.training.averaging import Averaging


def parts(value):
    return parse(SCHEDULE, {"curve": "constant", "trainable": value}).trainable


def mixed():
    return nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(1, 4, 3),
            group=nn.GroupNorm(2, 4),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            layer=nn.LayerNorm(4),
            fc=nn.Linear(4, 3),
        )
    )


def trained(network, value):
    freeze(network, parts(value), classes=3)
    return {name for name, p in network.named_parameters() if p.requires_grad}


NORMS = {f"{name}.{leaf}" for name in ("group", "layer") for leaf in ("weight", "bias")}
HEAD = {"fc.weight", "fc.bias"}
WHOLE = {"stem.weight", "stem.bias"} | NORMS | HEAD
CASES = [
    ("all", WHOLE),
    ("norm", NORMS),
    ("bias", {"stem.bias", "group.bias", "layer.bias", "fc.bias"}),
    ("head", HEAD),
    (["norm", "head"], NORMS | HEAD),
    ({"blocks": 1}, HEAD),
    ({"blocks": 2}, HEAD | {"layer.weight", "layer.bias"}),
    ({"blocks": 4}, WHOLE),
    (["bias", {"blocks": 1}], HEAD | {"stem.bias", "group.bias", "layer.bias"}),
    (["head", "all"], WHOLE),
]


def tied():
    network = nn.Sequential(OrderedDict(one=nn.Linear(4, 4), two=nn.Linear(4, 4)))
    network.two.weight = network.one.weight
    return network


def test_a_weight_that_layers_share_has_one_adapter_and_one_mask_and_is_kept_as_trained():
    network, mask = tied(), torch.eye(4) == 0
    network.one.weight.data.mul_(mask)
    averaging = Averaging(copy.deepcopy(network), np.ones(1))
    freeze(network, parts({"masked_lora": 2}), 3, {"one.weight": mask})
    names = {name for name, p in network.named_parameters() if p.requires_grad}
    assert names == adapters("one")
    torch.nn.init.ones_(network.one.parametrizations.weight[0].b)
    averaging.update(network, torch.tensor(1.0))
    images = torch.randn(3, 4)
    assert torch.equal(averaging.network(images), network(images))
    assert not averaging.network.two.weight[~mask].any()
    assert not torch.equal(
        averaging.network.two.weight, network.one.parametrizations.weight.original
    )


def adapters(*layers):
    return {f"{layer}.parametrizations.weight.0.{leaf}" for layer in layers for leaf in "ab"}


ADAPTED = [
    ("masked_lora", adapters("stem", "fc")),
    (["masked_lora", "head"], adapters("stem") | HEAD),
    ([{"masked_lora": 2}, "norm", {"blocks": 1}], adapters("stem") | NORMS | HEAD),
    (["bias", {"masked_lora": 2, "alpha": 1}], adapters("stem", "fc") | CASES[2][1]),
]


@pytest.mark.parametrize(("value", "expected"), ADAPTED, ids=str)
def test_adapters_train_the_weights_that_no_other_part_trains(value, expected):
    assert trained(mixed(), value) == expected


def test_the_rank_and_alpha_of_adapters_are_perps_or_the_arms():
    assert parts("masked_lora") == parts({"masked_lora": 16, "alpha": 32})
    networks = [mixed(), mixed()]
    for network, value in zip(networks, ["masked_lora", {"masked_lora": 4}], strict=True):
        freeze(network, parts(value), classes=3)
    found = [network.stem.parametrizations.weight[0] for network in networks]
    assert [(each.scale, each.a.shape) for each in found] == [(2, (16, 9)), (8, (4, 9))]


def test_an_adapter_has_the_mask_of_its_weight_and_none_without(begin_arm):
    run = begin_arm(trainable=("masked_lora",))
    layers = dict(run.network.named_modules())
    ((name, mask),) = run.masks.items()
    own, other = (layers[each].parametrizations.weight[0] for each in (name[:-7], "conv1"))
    assert torch.equal(own.mask, mask.float())
    assert other.mask is None


def test_adapters_leave_an_ordinary_network(begin_arm):
    plain, run = begin_arm(), begin_arm(trainable=("masked_lora", "norm", "head"))
    run.advance()
    result, before = run.result.state_dict(), plain.network.state_dict()
    assert result.keys() == before.keys()
    still = {name for name in before if torch.equal(result[name], before[name])}
    assert still == {name for name in before if name.endswith("source")}


@pytest.mark.parametrize(("value", "expected"), CASES, ids=str)
def test_these_parameters_are_trained(value, expected):
    assert trained(mixed(), value) == expected


def test_the_blocks_of_a_resnet_are_its_stem_its_stages_and_its_head():
    network = resnet8(num_classes=3, in_channels=1, width=2)
    names = trained(network, {"blocks": 2})
    assert {name.split(".")[0] for name in names} == {"layer3", "fc"}
    assert names == {n for n, _ in network.named_parameters() if n.startswith(("layer3.", "fc."))}


def test_the_head_gives_the_classes_whatever_is_defined_after_it():
    network = mixed()
    network.auxiliary = nn.Linear(4, 7)
    assert trained(network, "head") == HEAD
    with pytest.raises(Fault, match=r"^trainable: the network has no head that could be trained$"):
        freeze(network, parts("head"), classes=5)


def test_one_part_is_a_list_of_one():
    assert parts("norm") == parts(["norm"]) == ("norm",)
    assert Technique().trainable == parts("all")


def test_what_the_network_froze_stays_frozen():
    network = mixed()
    network.group.weight.requires_grad_(False)
    assert trained(network, "norm") == NORMS - {"group.weight"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("norm", "trainable: the network has no norm that could be trained"),
        ("bias", "trainable: the network has no bias that could be trained"),
        ({"blocks": 3}, "trainable.blocks is 3; the network has 2"),
        (["head", {"blocks": 9}], "trainable.blocks is 9; the network has 2"),
        (
            ["masked_lora", {"blocks": 2}],
            "trainable: the network has no weight of a linear layer or convolution beside the "
            "other parts that could be trained",
        ),
    ],
)
def test_a_part_that_is_not_there_is_told_by_the_key_of_the_arm(value, words):
    network = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False), nn.Linear(2, 2, bias=False))
    with pytest.raises(Fault) as fault:
        freeze(network, parts(value), classes=2)
    assert str(fault.value) == words
    arms = {"one": ["all"], "two": Technique(trainable=parts(value)).changed()["trainable"]}
    assert [*missing_parts(network, arms, classes=2)] == [f"retrain.schedules.two.{words}"]
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_statistics_of_batchnorm_move_where_nothing_of_it_is_trained(begin_arm):
    """And what is frozen stays as it is to the bit, masked weights among it."""
    run = begin_arm(trainable=("head",))
    before = {name: tensor.clone() for name, tensor in run.network.state_dict().items()}
    run.advance()
    moved = {n for n, t in run.network.state_dict().items() if not torch.equal(t, before[n])}
    statistics = {name for name in before if "running_" in name or "num_batches" in name}
    assert moved == statistics | {"fc.weight", "fc.bias"}


@pytest.mark.parametrize("part", ["norm", "bias", "head", "all", "masked_lora"])
def test_pruned_weights_stay_zero_whatever_is_trained(part, begin_arm):
    run = begin_arm(trainable=(part,))
    run.advance()
    ((name, mask),) = run.masks.items()
    weight = run.result.get_parameter(name)
    assert not weight[~mask].any()
    assert weight[mask].all()
