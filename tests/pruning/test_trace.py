"""Which channels go together, on networks that tie them in different ways."""

import pytest
import torch
import torch_pruning
import torchvision
from torch import nn

from stages.models.densenet import densenet40
from stages.models.preresnet import preresnet20
from stages.models.resnet import resnet8, resnet20
from stages.models.vgg import vgg16_bn
from stages.pipeline.fault import Fault
from stages.pruning.trace import trace
from tests.pruning import networks

SHAPE = (3, 16, 16)


def widths(network, coupled=None):
    found = trace(network, SHAPE).groups
    return {g.name: g.width for g in found if coupled is None or g.coupled == coupled}


@pytest.mark.parametrize("factory", [resnet20, preresnet20])
def test_first_convolutions_are_free_and_each_stage_is_one_group(factory):
    network = factory(10, width=4)
    firsts = [f"layer{stage}.{block}.conv1" for stage in (1, 2, 3) for block in range(3)]
    assert list(widths(network, coupled=False)) == firsts
    streams = {"conv1": 4, "layer2.0.conv2": 8, "layer3.0.conv2": 16}
    assert widths(network, coupled=True) == streams


def test_a_stage_s_group_holds_its_stem_its_second_convolutions_and_their_readers():
    stem = next(g for g in trace(resnet8(10), SHAPE).groups if g.name == "conv1")
    assert {(m.tensor, m.dim) for m in stem.members if m.tensor.endswith("source")} == {
        ("layer2.0.shortcut.source", 1)
    }
    assert {(m.tensor, m.dim) for m in stem.members if m.tensor.endswith("weight")} == {
        ("conv1.weight", 0),
        ("bn1.weight", 0),
        ("layer1.0.conv1.weight", 1),
        ("layer1.0.conv2.weight", 0),
        ("layer1.0.bn2.weight", 0),
        ("layer2.0.conv1.weight", 1),
    }


def test_all_of_vgg_is_free():
    assert len(widths(vgg16_bn(10), coupled=False)) == len(widths(vgg16_bn(10))) == 13


def test_all_of_densenet_is_coupled():
    network = densenet40(10, growth=2)
    assert len(widths(network, coupled=True)) == len(widths(network)) == 39


def test_the_layer_behind_a_flattening_reads_several_entries_per_channel():
    last = trace(networks.Flattened(), SHAPE).groups[-1]
    reader = next(member for member in last.members if member.dim == 1)
    assert reader.tensor == "head.1.weight"
    assert reader.positions[reader.units == 3].tolist() == list(range(48, 64))


def test_channels_that_fork_to_two_layers_are_no_block_s_own():
    """As the stem of ResNet-50, which feeds a block and its 1x1 shortcut."""
    assert widths(networks.Forked(), coupled=True) == {"stem": 8}
    assert widths(networks.Forked(), coupled=False) == {"left": 4}


def test_a_gate_does_not_make_a_block_s_channels_fork():
    assert widths(networks.Excited(), coupled=False) == {"expand": 16}


def test_grouped_convolutions_leave_by_groups():
    group = next(g for g in trace(networks.Grouped(), SHAPE).groups if g.name == "reduce")
    assert group.width == 4
    assert group.members[0].units.tolist() == [i // 4 for i in range(16)]


@pytest.mark.parametrize(
    ("factory", "prunable"),
    [
        (networks.Chunked, {"left": 6}),
        (networks.FixedView, {"first": 8}),
        (networks.ConvHead, {"body": 8}),
        (networks.Shared, {"last": 6}),
        (networks.PaddedShortcut, {"conv1": 16}),
        (networks.Attended, {"last": 6}),
        (networks.InputResidual, {"last": 6}),
        (networks.Normalised, {"last": 6}),
        (networks.Shuffled, {"stem": 8, "last": 6}),
        (networks.Excited, {"stem": 8, "expand": 16}),
        (networks.Concatenated, {"left": 5, "right": 7, "last": 6}),
        (networks.Plain, {"stem": 8, "last": 6}),
        (networks.Parametric, {"stem": 8, "middle": 6, "last": 4}),
    ],
)
def test_what_cannot_be_cut_is_left_alone(factory, prunable):
    assert widths(factory()) == prunable


def test_tracing_leaves_the_network_and_the_random_numbers_alone():
    network = resnet8(10).train()
    network.conv1.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    trace(network, SHAPE)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert network.training
    assert not network.conv1.weight.requires_grad
    assert torch.equal(torch.get_rng_state(), state)


def test_tracing_works_where_gradients_are_off():
    with torch.no_grad():
        assert widths(resnet8(10, width=4), coupled=False) == {
            "layer1.0.conv1": 4,
            "layer2.0.conv1": 8,
            "layer3.0.conv1": 16,
        }


def test_tracing_works_on_frozen_weights():
    network = resnet8(10, width=4)
    assert widths(network.requires_grad_(False)) == widths(resnet8(10, width=4))


def test_the_last_layer_keeps_its_outputs_even_with_nothing_behind_it():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 5, 1))
    assert widths(network) == {"0": 8}


def test_positions_count_the_outputs_of_each_layer():
    positions = trace(resnet8(10), SHAPE).positions
    assert positions["conv1"] == 256
    assert positions["layer2.0.conv1"] == 64
    assert positions["fc"] == 1
    assert trace(networks.Shared(), SHAPE).positions["twice"] == 2 * 256  # both calls


def test_images_of_the_wrong_shape_are_a_fault():
    with pytest.raises(Fault, match="cannot run on images"):
        trace(resnet8(10), (1, 16, 16))


def test_a_network_that_torch_pruning_fails_on_is_a_fault(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(torch_pruning.DependencyGraph, "build_dependency", fail)
    with pytest.raises(Fault, match="cannot follow"):
        trace(resnet8(10), SHAPE)


@pytest.mark.parametrize(
    ("factory", "reasons"),
    [
        (networks.Chunked, {"stem": "pass Split"}),
        (networks.FixedView, {"second": "do not survive a trial"}),
        (networks.ConvHead, {"head": "reach the output"}),
        (networks.Normalised, {"stem": "pass GroupNorm"}),
        (networks.Shuffled, {"middle": "pass Transpose"}),
        (networks.PaddedShortcut, {"stem": "pass ConstantPadNd"}),
        (networks.Shared, {"stem": "pass a Conv2d that runs more than once"}),
        (resnet8, {}),
    ],
)
def test_channels_that_are_left_alone_have_a_reason(factory, reasons):
    refused = trace(factory(10) if factory is resnet8 else factory(), SHAPE).refused
    assert reasons.keys() <= refused.keys()
    assert all(refused[name].startswith(reason) for name, reason in reasons.items())
    assert bool(refused) == bool(reasons)


@pytest.mark.parametrize(
    ("dims", "refused"), [((-1,), ""), ((-1, -2), ""), ((-3,), "Mean"), ((-3, -1), "Mean")]
)
def test_dims_counted_from_the_end_are_told_apart(dims, refused):
    reason = trace(networks.Pooled(dims), SHAPE).refused.get("stem", "")
    assert reason.startswith("pass Mean") if refused else not reason


def test_a_network_that_torch_pruning_cannot_follow_names_its_reshape():
    network = torchvision.models.shufflenet_v2_x0_5(num_classes=5)
    with pytest.raises(Fault, match=r"the channels of stage2\.0\.branch1\.2 pass a reshape"):
        trace(network, (3, 64, 64))
