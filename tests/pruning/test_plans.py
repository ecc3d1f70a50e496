"""Golden numbers: the parameters and MACs that published plans leave."""

import pytest
import torch

from stages.evaluation.cost import cost
from stages.models.imagenet import resnet18, resnet34
from stages.models.resnet import resnet20, resnet56, resnet110
from stages.models.vgg import vgg16_bn
from stages.pipeline.fault import Fault
from stages.pruning.prune import prune, widths_without_data
from stages.pruning.surgery import compact_form
from tests.pruning.helpers import filters

CIFAR = (3, 32, 32)
SMALL = (3, 16, 16)  # parameters do not depend on it


def pruned_by(network, plan, shape=SMALL):
    result = prune(network, [], filters("plan", name=plan), torch.Generator(), shape)
    return result, compact_form(network, result.kept)


@pytest.mark.parametrize(
    ("factory", "plan", "parameters"),
    [
        (resnet56, "ResNet-56-A", 773_336),
        (resnet56, "ResNet-56-B", 735_712),
        (resnet56, "ResNet-56-C", 557_954),
        (resnet56, "ResNet-56-D", 436_756),
        (resnet110, "ResNet-110-A", 1_688_522),
        (resnet110, "ResNet-110-B", 1_168_424),
        (vgg16_bn, "VGG-16-A", 5_397_034),
    ],
)
def test_cifar_plans_leave_the_published_parameters(factory, plan, parameters):
    _, compact = pruned_by(factory(10), plan)
    assert sum(p.numel() for p in compact.parameters()) == parameters


@pytest.mark.parametrize(
    ("plan", "parameters"), [("ResNet-34-A", 20_151_764), ("ResNet-34-B", 19_469_372)]
)
def test_imagenet_plans_leave_the_published_parameters(plan, parameters):
    _, compact = pruned_by(resnet34(1000), plan)
    assert sum(p.numel() for p in compact.parameters()) == parameters


def test_resnet56_b_cuts_the_published_macs():
    network = resnet56(10)
    _, compact = pruned_by(network, "ResNet-56-B")
    assert cost(compact, CIFAR).macs / cost(network, CIFAR).macs - 1 == pytest.approx(
        -0.276, abs=5e-4
    )


def test_the_sparsity_is_the_share_of_parameters_removed():
    result, _ = pruned_by(resnet56(10), "ResNet-56-B")
    assert result.sparsity == pytest.approx(1 - 735_712 / 853_018)
    assert result.fraction == result.sparsity


def test_skipped_blocks_keep_their_width_and_the_others_their_stage_s():
    widths = widths_without_data(resnet56(10), filters("plan", name="ResNet-56-B"), SMALL)
    assert widths["layer1.0.conv1"] == 6  # int(16 * 0.4)
    assert widths["layer1.7.conv1"] == 16  # conv 16
    assert widths["layer1.8.conv1"] == 16  # conv 18
    assert widths["layer2.0.conv1"] == 32  # conv 20
    assert widths["layer2.1.conv1"] == 22  # int(32 * 0.7)
    assert widths["layer3.1.conv1"] == 57  # int(64 * 0.9), conv 40
    assert widths["layer3.0.conv1"] == 64  # conv 38


def test_resnet18_d_keeps_the_widths_worked_out_by_hand():
    widths = widths_without_data(resnet18(1000), filters("plan", name="ResNet-18-D"), (3, 32, 32))
    assert list(widths.values()) == [51, 51, 102, 102, 179, 179, 358, 512]


def test_a_plan_for_another_network_is_refused():
    with pytest.raises(Fault, match="27 prunable convolutions, this one has 9"):
        pruned_by(resnet20(10), "ResNet-56-A")
