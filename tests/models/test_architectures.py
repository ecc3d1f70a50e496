import os
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models import ResNet18_Weights, resnet18
from torchvision.models._api import WeightsEnum

from stages.models import convnet, densenet, imagenet, preresnet, resnet, vgg
from stages.pipeline.fault import Fault


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def cifar_resnet(blocks):
    """Parameters by hand: 3x3 convs, BatchNorm pairs after each, a linear head; no shortcut."""
    convs = 3 * 16 + 16 * 16 * 2 * blocks
    for wide in (32, 64):
        convs += wide // 2 * wide + wide * wide * (2 * blocks - 1)
    norms = 2 * (16 + 2 * blocks * (16 + 32 + 64))
    return 9 * convs + norms + 64 * 10 + 10


@pytest.mark.parametrize(
    ("factory", "blocks"),
    [
        (resnet.resnet8, 1),
        (resnet.resnet20, 3),
        (resnet.resnet32, 5),
        (resnet.resnet44, 7),
        (resnet.resnet56, 9),
        (resnet.resnet110, 18),
    ],
)
def test_resnet_parameters_follow_from_its_depth(factory, blocks):
    assert parameters(factory(10)) == cifar_resnet(blocks)


def test_parameters_of_the_papers_networks():
    assert parameters(resnet.resnet20(10)) == 269_722
    assert parameters(resnet.resnet56(10)) == 853_018
    assert parameters(resnet.resnet110(10)) == 1_727_962
    assert parameters(vgg.vgg16_bn(10)) == 14_987_722
    assert parameters(densenet.densenet40(10)) == 1_059_298


def test_parameters_of_plain_networks_by_hand():
    """Convolutions without bias, a pair of BatchNorm's a filter, the head."""
    images = 9 * (16 + 16 * 32 + 32 * 64) + 2 * (16 + 32 + 64) + 64 * 10 + 10
    signals = 5 * 25 + 3 * 25 * 25 * 2 + 2 * 75 + 25 * 10 + 10
    assert parameters(convnet.convnet(10)) == images
    assert parameters(convnet.convnet_1d(10)) == signals
    assert convnet.convnet_1d(10).features(torch.zeros(2, 1, 1, 40)).shape == (2, 25, 1, 5)


def test_preresnet_moves_its_batchnorms_but_keeps_their_number_of_channels():
    """No norm after the stem (-16), 16 and 32 for 32 and 64 once each (-48), 64 at the end."""
    assert parameters(preresnet.preresnet20(10)) == 269_722
    assert parameters(preresnet.preresnet56(10)) == 853_018
    assert parameters(preresnet.preresnet110(10)) == 1_727_962


def test_densenet40_parameters_by_hand():
    """A layer on c channels has 2c + 108c; transitions and norms on 168, 312, 456; stem, head."""
    grown = range(24, 24 + 36 * 12, 12)
    by_hand = 3 * 24 * 9 + 110 * sum(grown) + 168**2 + 312**2 + 2 * (168 + 312 + 456) + 4570
    assert parameters(densenet.densenet40(10)) == by_hand


def test_resnet56_is_the_basic_block_network():
    convs = [m for m in resnet.resnet56(10).modules() if isinstance(m, nn.Conv2d)]
    assert len(convs) == 55
    assert {conv.kernel_size for conv in convs} == {(3, 3)}
    assert all(conv.bias is None for conv in convs)


@pytest.mark.parametrize("build", [resnet.resnet8, preresnet.preresnet20])
def test_gradient_passes_a_stage_whose_convolutions_are_dead(build):
    network = build(10, width=4)
    for name, module in network.named_modules():
        if name.startswith("layer2") and isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
    network(torch.randn(4, 3, 8, 8)).logsumexp(1).sum().backward()
    assert network.conv1.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("side", [4, 5, 8, 28])
@pytest.mark.parametrize(
    "build", [resnet.resnet8, preresnet.preresnet20, densenet.densenet40], ids=lambda f: f.__name__
)
def test_cifar_networks_take_any_image_from_4x4(build, side):
    assert build(7, 1).eval()(torch.zeros(2, 1, side, side)).shape == (2, 7)


def test_width_scales_every_stage():
    network = resnet.resnet8(10, width=6)
    assert network.conv1.out_channels == 6
    assert network.layer3[0].conv2.out_channels == 24
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


def test_state_dict_names():
    names = list(resnet.resnet8(10).state_dict())
    assert names[:2] == ["conv1.weight", "bn1.weight"]
    assert {"layer1.0.conv1.weight", "layer3.0.bn2.bias", "layer2.0.shortcut.source"} <= set(names)
    assert names[-2:] == ["fc.weight", "fc.bias"]


def test_vgg_takes_16x16_and_refuses_digits_in_one_line():
    network = vgg.vgg16_bn(10, 1).eval()
    assert network(torch.zeros(1, 1, 16, 16)).shape == (1, 10)
    with pytest.raises(Fault, match=r"images are 8x8.*16x16"):
        network(torch.zeros(1, 1, 8, 8))


def test_vgg_starts_with_halved_batchnorm_scales_and_a_small_head():
    torch.manual_seed(0)
    network = vgg.vgg16_bn(10)
    assert (network.features[1].weight == 0.5).all()
    assert (network.classifier[1].weight == 1).all()
    assert network.classifier[0].weight.std().item() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize(
    ("factory", "count"),
    [
        (imagenet.resnet18, 11_689_512),
        (imagenet.resnet34, 21_797_672),
        (imagenet.resnet50, 25_557_032),
        (imagenet.mobilenet_v2, 3_504_872),
        (imagenet.efficientnet_b0, 5_288_548),
    ],
)
def test_imagenet_parameters(factory, count):
    assert parameters(factory(1000)) == count


@pytest.mark.parametrize("factory", [imagenet.resnet18, imagenet.mobilenet_v2])
def test_imagenet_networks_take_other_classes_and_channels(factory):
    assert factory(5, 1).eval()(torch.zeros(1, 1, 32, 32)).shape == (1, 5)


def test_pretrained_weights_stay_when_the_head_is_replaced(monkeypatch):
    state = resnet18().state_dict()
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: state)
    network = imagenet.resnet18(10, pretrained=True)
    assert torch.equal(network.layer4[1].conv2.weight, state["layer4.1.conv2.weight"])
    assert network.fc.weight.shape == (10, 512)
    assert torch.equal(imagenet.resnet18(1000, pretrained=True).fc.weight, state["fc.weight"])


def test_pretrained_weights_run_no_code(monkeypatch, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    name = Path(ResNet18_Weights.IMAGENET1K_V1.url).name
    kept = tmp_path / "hub" / "checkpoints" / name
    kept.parent.mkdir(parents=True)
    torch.save(Trap(), kept)
    with pytest.raises(Fault, match=r"no weights for resnet18 \(Weights only load failed"):
        imagenet.resnet18(1000, pretrained=True)
    assert not (tmp_path / "sprung").exists()


def test_pretrained_faults(monkeypatch):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(WeightsEnum, "get_state_dict", offline)
    with pytest.raises(Fault, match=r"no weights for resnet18 \(no route to host\)"):
        imagenet.resnet18(1000, pretrained=True)
    with pytest.raises(Fault, match="3 image channels, the data has 1"):
        imagenet.resnet18(10, 1, pretrained=True)
