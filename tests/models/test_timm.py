import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from stages.models import imagenet
from stages.models import timm as ours
from stages.networks.building import Spec, build
from stages.networks.compact import load, save
from stages.networks.fresh import fresh
from stages.pipeline.fault import Fault
from stages.pruning.surgery import compact_form
from tests.pruning.helpers import random_kept

timm = pytest.importorskip("timm")
HEADS = ("heads",)
TINY = {
    "vit": {"name": "vit_tiny_patch16_224", "img_size": 16, "patch_size": 8, "embed_dim": 24,
            "depth": 1},
    "deit": {"name": "deit_tiny_patch16_224", "img_size": 16, "patch_size": 8, "embed_dim": 24,
             "depth": 1},
    "swin": {"name": "swin_tiny_patch4_window7_224", "img_size": 16, "patch_size": 4,
             "embed_dim": 12, "depths": [1, 1], "num_heads": [2, 2], "window_size": 2},
    "convnext": {"name": "convnext_atto", "depths": [1, 1, 1, 1], "dims": [4, 4, 8, 8]},
    "resnet": {"name": "resnet10t"},
}  # fmt: skip


def spec(options, channels=1):
    return Spec("stages/models/timm.py", "create_model", options, 5, channels)


@pytest.mark.parametrize("options", TINY.values(), ids=TINY)
def test_networks_of_timm_are_built_kept_and_started_afresh(options, tmp_path):
    file, network = tmp_path / "network.safetensors", build(spec(options), 0).eval()
    images = torch.randn(2, 1, 32, 32)[..., : 16 if "img_size" in options else 32, :]
    images = images[..., : images.shape[-2]]
    assert network(images).shape == (2, 5)
    for parameter in network.parameters():
        nn.init.constant_(parameter, 3.0)
    save(file, network, spec(options))
    assert torch.equal(load(file).eval()(images), network(images))
    started, built = fresh(file, 1), build(spec(options), 1)
    assert all(map(torch.equal, started.parameters(), built.parameters()))


def test_a_cut_network_of_timm_starts_as_the_dense_one_would_without_its_last_units(tmp_path):
    """So its weights spread by the dense layers' fans, and the scales of residuals stay 0."""
    file, network = tmp_path / "network.safetensors", build(spec(TINY["resnet"], 3), 0)
    smaller = compact_form(network, random_kept(network, (3, 32, 32)))
    save(file, smaller, spec(TINY["resnet"], 3))
    started, dense = fresh(file, 1), build(spec(TINY["resnet"], 3), 1)
    conv, whole = (x.layer1[0].conv1.weight for x in (started, dense))
    assert conv.shape == smaller.layer1[0].conv1.weight.shape != whole.shape
    assert torch.equal(conv, whole[: conv.shape[0], : conv.shape[1]])
    assert not started.layer1[0].bn2.weight.any()
    assert all(int(x) == 0 for n, x in started.state_dict().items() if n.endswith("tracked"))


def test_options_and_names_that_timm_refuses_are_one_line():
    with pytest.raises(Fault, match=r"did you mean deit_tiny_patch16_224\?"):
        ours.create_model(5, name="deit_tiny_patch16_244")
    with pytest.raises(Fault, match=r"stages/models/timm\.py.*create_model\(.*refuses.*colour"):
        build(spec({"name": "resnet10t", "colour": 1}))


def test_a_file_of_weights_is_one_of_the_study_and_no_option():
    with pytest.raises(Fault, match=r"checkpoint_path: name a file of weights in train\.weights"):
        build(spec({"name": "resnet10t", "checkpoint_path": "weights.safetensors"}))


def test_without_timm_it_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(Fault, match=r"needs timm: pip install 'afterprune\[timm\]'"):
        ours.create_model(5, name="resnet10t")


def test_pretrained_weights_are_safetensors_fitted_to_the_data(monkeypatch, tmp_path):
    whole = timm.create_model("resnet10t")
    save_file(whole.state_dict(), tmp_path / "model.safetensors")
    asked = []

    def download(*where):
        asked.append(where)
        return tmp_path / "model.safetensors"

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    network = ours.create_model(5, 1, name="resnet10t", pretrained=True)
    assert asked == [("timm/resnet10t.c3_in1k", "model.safetensors")]
    assert torch.equal(network.layer1[0].conv1.weight, whole.layer1[0].conv1.weight)
    assert network.fc.weight.shape == (5, 512)
    expected = whole.conv1[0].weight.sum(1, keepdim=True)
    assert torch.allclose(network.conv1[0].weight, expected)


def test_weights_that_are_not_there_are_one_line(monkeypatch):
    def offline(*_):
        raise OSError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(Fault, match=r"no model\.safetensors for resnet10t \(no route to host\)"):
        ours.create_model(5, name="resnet10t", pretrained=True)
    monkeypatch.setattr(timm, "get_pretrained_cfg", lambda name: None)
    with pytest.raises(Fault, match="timm has no weights for resnet10t"):
        ours.create_model(5, name="resnet10t", pretrained=True)


@pytest.mark.parametrize(
    ("factory", "count"),
    [
        (imagenet.vit_b_16, 86_567_656),
        (imagenet.swin_t, 28_288_354),
        (imagenet.convnext_tiny, 28_589_128),
    ],
)
def test_torchvisions_transformers(factory, count):
    with torch.device("meta"):
        assert sum(p.numel() for p in factory(1000).parameters()) == count
        other = factory(5)
    assert [m for m in other.modules() if isinstance(m, nn.Linear)][-1].out_features == 5


def test_vit_takes_images_of_its_size_and_weights_those_of_224():
    with torch.device("meta"):
        network = imagenet.vit_b_16(5, image_size=32)
        assert network.encoder.pos_embedding.shape == (1, 5, 768)
    with pytest.raises(Fault, match="take images of 224, image_size is 32"):
        imagenet.vit_b_16(5, image_size=32, pretrained=True)


SMALL = """
from torchvision.models import SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig, ConvNeXt

from stages.models.imagenet import initialise

def swin(num_classes, in_channels):
    return SwinTransformer([2, 2], 16, [1, 1], [2, 4], [4, 4])

def vit(num_classes, in_channels):
    return VisionTransformer(16, 8, 2, 3, 12, 32)

def convnext(num_classes, in_channels):
    return ConvNeXt([CNBlockConfig(8, None, 2)])
"""


@pytest.mark.parametrize("name", ["swin", "vit", "convnext"])
def test_torchvisions_transformers_start_afresh_as_they_are_built(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.py").write_text(SMALL)
    small = Spec("small.py", name, {}, 1000, 3)
    network = build(small, 0)
    for parameter in network.parameters():
        nn.init.constant_(parameter, 3.0)
    save("dense", network, small)
    built = build(small, 1)
    assert all(map(torch.equal, fresh("dense", 1).parameters(), built.parameters()))
    if name == "vit":
        save("cut", compact_form(network, random_kept(network, (3, 16, 16), units=HEADS)), small)
        attention, whole = (x.encoder.layers[0].self_attention for x in (fresh("cut", 1), built))
        rows = len(attention.in_proj_weight)
        assert rows < len(whole.in_proj_weight)
        assert torch.equal(attention.in_proj_weight, whole.in_proj_weight[:rows])


def test_convolutional_networks_start_afresh_as_they_did():
    from stages.networks import layers

    expected, found = (imagenet.resnet18(5) for _ in range(2))
    for network, start in ((expected, layers.initialise), (found, imagenet.initialise)):
        torch.manual_seed(0)
        start(network)
    assert all(map(torch.equal, expected.parameters(), found.parameters()))
