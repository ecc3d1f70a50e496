import pytest
from torch import nn

from stages.models.imagenet import mobilenet_v2, resnet18, resnet50
from stages.models.preresnet import preresnet20
from stages.models.resnet import resnet20, resnet110
from stages.models.vgg import vgg16_bn
from stages.pruning.numbering import pfec_indices
from stages.pruning.prune import prune
from stages.pruning.structured import structure
from stages.pruning.surgery import compact_form
from tests.pruning import networks
from tests.pruning.helpers import filters


def found(network, shape, scope="blocks"):
    return structure(network, shape, scope).layers


def stage_sizes(layers):
    stages = [layer.stage for layer in layers]
    assert stages == sorted(stages)
    return [stages.count(stage) for stage in range(stages[-1] + 1)]


def test_first_convolutions_of_a_cifar_resnet_have_even_indices():
    layers = found(resnet20(10), (3, 8, 8))
    assert [layer.index for layer in layers] == [2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert stage_sizes(layers) == [3, 3, 3]


def test_resnet110_has_three_stages_of_eighteen():
    assert stage_sizes(found(resnet110(10, width=4), (3, 8, 8))) == [18, 18, 18]


def test_preresnets_are_numbered_as_resnets():
    layers = found(preresnet20(10), (3, 8, 8))
    assert [layer.index for layer in layers] == [2, 4, 6, 8, 10, 12, 14, 16, 18]
    assert stage_sizes(layers) == [3, 3, 3]


def test_the_imagenet_stem_is_one_and_downsampling_does_not_count():
    layers = found(resnet18(10), (3, 32, 32))
    assert [layer.index for layer in layers] == [2, 4, 6, 8, 10, 12, 14, 16]
    assert stage_sizes(layers) == [2, 2, 2, 2]
    assert pfec_indices(resnet18(10))["layer4.1.conv2"] == 17


def test_bottlenecks_are_staged_by_their_block_and_their_1x1_convolutions_have_no_index():
    layers = found(resnet50(10), (3, 64, 64))
    assert stage_sizes(layers) == [6, 8, 12, 6]
    assert [layer.index for layer in layers[:4]] == [None, 2, None, 3]


def test_vgg_is_staged_by_resolution():
    layers = found(vgg16_bn(10), (3, 16, 16))
    assert stage_sizes(layers) == [2, 2, 3, 3, 3]
    assert [layer.index for layer in layers] == list(range(1, 14))


def test_kernels_of_2x2_are_counted_and_those_of_1x1_are_not():
    network = nn.Sequential(*(nn.Conv2d(3, 3, size) for size in (1, 1, 2, (1, 2), 3)))
    assert pfec_indices(network) == {"0": 1, "2": 2, "3": 3, "4": 4}


def test_stages_do_not_move_when_their_layers_have_different_widths():

    network = resnet20(10)
    method = filters("per_stage", ratios=(0.5, 0.3, 0.1), skip=(4, 10))
    smaller = compact_form(network, prune(network, [], method, None, (3, 8, 8)).kept)
    assert stage_sizes(found(smaller, (3, 8, 8))) == [3, 3, 3]


def test_a_mobilenet_s_stages_are_its_widths_even_at_one_resolution():
    layers = found(mobilenet_v2(10), (3, 64, 64))
    # blocks of 24 (with the narrow first ones), 32, 64, 96 and 160 channels, and the end
    assert stage_sizes(layers) == [4, 3, 4, 3, 3, 3]


def test_a_gate_does_not_end_a_block():
    assert stage_sizes(found(networks.Excited(), (3, 16, 16), "all")) == [2]


@pytest.mark.parametrize("scope", ["blocks", "all"])
def test_a_gate_that_is_defined_after_the_layer_that_reads_its_channels_ends_no_block(scope):
    network = networks.Excited()
    for name in ("squeeze", "excite"):  # now the last children
        network.add_module(name, network._modules.pop(name))
    layers = structure(network, (3, 16, 16), scope, ("channels", "neurons")).layers
    assert [(x.name, x.stage) for x in layers][-2:] == [("expand", 0), ("squeeze", 0)]


def test_a_1x1_stem_is_number_one():
    assert pfec_indices(networks.Grouped()) == {"stem": 1, "grouped": 2}


def test_the_scope_all_keeps_the_stages():
    layers = found(resnet20(10), (3, 8, 8), "all")
    assert [layer.name for layer in layers if layer.name.endswith("conv2")] == [
        "layer2.0.conv2",
        "layer3.0.conv2",
    ]
    assert stage_sizes(layers) == [4, 4, 4]
