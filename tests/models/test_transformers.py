import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stages.models import convnext, vit
from stages.networks.building import Spec, build
from stages.networks.compact import load, resize, save
from stages.networks.exporting import write_onnx
from stages.networks.fresh import fresh
from stages.networks.trial import try_out
from stages.pipeline.fault import Fault
from stages.replicates.precision import autocast, memory_format, placed
from stages.replicates.settings import Compute

CPU = torch.device("cpu")
SIGNAL = {"image": [1, 40], "patch": [1, 4]}


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def vit_by_hand(pixels, tokens, width, depth, hidden, classes, class_token):
    """Patches, positions, per block two norms, four projections and two layers; norm and head."""
    block = 4 * width + 4 * (width**2 + width) + 2 * width * hidden + hidden + width
    rest = (pixels + 1) * width + (tokens + class_token) * width + class_token * width
    return rest + depth * block + 2 * width + (width + 1) * classes


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("class_token", [False, True])
def test_vit_parameters_by_hand(fused, class_token):
    images = vit.vit_tiny(10, 3, class_token=class_token, fused=fused)
    signals = vit.vit_tiny(7, 1, width=32, depth=2, mlp_ratio=3, heads=2, **SIGNAL)
    assert parameters(images) == vit_by_hand(48, 49, 64, 4, 128, 10, class_token)
    assert parameters(signals) == vit_by_hand(4, 10, 32, 2, 96, 7, False)


def test_the_largest_of_this_kind_is_the_papers():
    """ViT-B/16 has 86 567 656 parameters (timm's vit_base_patch16_224)."""
    sizes = {"image": (224, 224), "patch": (16, 16), "width": 768, "depth": 12, "heads": 12}
    with torch.device("meta"):
        network = vit.vit_tiny(1000, 3, mlp_ratio=4, class_token=True, **sizes)
    assert parameters(network) == 86_567_656


@pytest.mark.parametrize("fused", [False, True])
def test_attention_is_the_formula(fused):
    torch.manual_seed(0)
    attention, x = vit.Attention(12, 3, fused), torch.randn(2, 5, 12)
    layers = (
        attention.qkv.weight.chunk(3)
        if fused
        else [attention.q.weight, attention.k.weight, attention.v.weight]
    )
    biases = (
        attention.qkv.bias.chunk(3)
        if fused
        else [attention.q.bias, attention.k.bias, attention.v.bias]
    )
    q, k, v = (x @ w.T + b for w, b in zip(layers, biases, strict=True))
    heads = []
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        weights = (q[..., part] @ k[..., part].mT / math.sqrt(4)).softmax(-1)
        heads.append(weights @ v[..., part])
    expected = attention.proj(torch.cat(heads, -1))
    assert torch.allclose(attention(x), expected, atol=1e-6)


def test_attention_with_fewer_heads_is_that_of_those_heads():
    """Only shapes say how many there are: rows of q, k and v, and columns of proj, of head 1."""
    torch.manual_seed(0)
    attention, x = vit.Attention(12, 3, False), torch.randn(2, 5, 12)
    for layer in (attention.q, attention.k, attention.v):
        layer.weight = nn.Parameter(layer.weight[4:8])
        layer.bias = nn.Parameter(layer.bias[4:8])
    attention.proj.weight = nn.Parameter(attention.proj.weight[:, 4:8])
    q, k, v = attention.q(x), attention.k(x), attention.v(x)
    alone = F.softmax(q @ k.mT / 2, -1) @ v
    assert torch.allclose(attention(x), attention.proj(alone), atol=1e-6)


def test_patches_are_strided_convolution_over_rows_and_columns():
    network = vit.vit_tiny(10, 1, image=(4, 6), patch=(2, 3), width=8, depth=0, heads=1)
    assert network.positions.shape == (1, 4, 8)
    assert network.patches.stride == network.patches.kernel_size == (2, 3)
    assert network(torch.zeros(2, 1, 4, 6)).shape == (2, 10)


def test_start_is_truncated_normal_with_zero_biases():
    torch.manual_seed(0)
    network = vit.vit_tiny(10, 1, class_token=True)
    assert network.positions.std().item() == pytest.approx(0.02, rel=0.05)
    assert network.class_token.abs().max() > 0
    assert network.blocks[0].fc1.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert all(not p.any() for n, p in network.named_parameters() if n.endswith("bias"))
    blocks = [m for m in convnext.convnext_tiny(10).modules() if isinstance(m, convnext.Block)]
    assert len(blocks) == 6
    assert all((block.scale == 1e-6).all() for block in blocks)


def convnext_by_hand(channels, widths, depths, ratio, stem, kernel, classes):
    total, before = 0, channels
    for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        total += 2 * (before if number else width) + stem * before * width + width
        block = kernel * width + width + 2 * width + 2 * ratio * width**2 + ratio * width + width
        total += depth * (block + width)
        before = width
    return total + 2 * before + (before + 1) * classes


def test_convnext_parameters_by_hand():
    images = convnext.convnext_tiny(10, 3, width=8, depths=[1, 2, 1])
    signals = convnext.convnext_tiny_1d(10, 1, width=8, mlp_ratio=2)
    assert parameters(images) == convnext_by_hand(3, (8, 16, 32), (1, 2, 1), 4, 4, 49, 10)
    assert parameters(signals) == convnext_by_hand(1, (8, 16, 32), (2, 2, 2), 2, 2, 7, 10)


@pytest.mark.parametrize("side", [8, 9, 28])
def test_convnext_takes_any_image_from_8x8(side):
    assert convnext.convnext_tiny(7, 1)(torch.zeros(2, 1, side, side)).shape == (2, 7)
    assert convnext.convnext_tiny_1d(7)(torch.zeros(2, 1, 1, side)).shape == (2, 7)


NETWORKS = [
    ("vit", "vit_tiny", SIGNAL),
    ("vit", "vit_tiny", {**SIGNAL, "fused": True, "class_token": True}),
    ("convnext", "convnext_tiny_1d", {"width": 4}),
]


@pytest.mark.parametrize(("file", "factory", "options"), NETWORKS)
def test_saved_loaded_and_initialised_afresh(file, factory, options, tmp_path):
    spec = Spec(f"stages/models/{file}.py", factory, options, 10, 1)
    network = getattr({"vit": vit, "convnext": convnext}[file], factory)(10, 1, **options)
    for parameter in network.parameters():
        nn.init.constant_(parameter, 3.0)
    save(tmp_path / "network.safetensors", network, spec)
    images = torch.randn(2, 1, 1, 40)
    again = load(tmp_path / "network.safetensors")
    assert torch.equal(again(images), network(images))
    first, second = (fresh(tmp_path / "network.safetensors", seed) for seed in (0, 0))
    assert all((p != 3).all() for p in first.parameters())
    assert torch.equal(first(images), second(images))


@pytest.mark.parametrize("fused", [False, True])
def test_a_vit_that_lost_heads_and_neurons_is_rebuilt_from_its_shapes_alone(fused, tmp_path):
    options = {**SIGNAL, "depth": 1, "fused": fused}
    spec = Spec("stages/models/vit.py", "vit_tiny", options, 10, 1)
    network = build(spec, 0)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for layer in ("qkv",) if fused else ("q", "k", "v"):
        rows = 96 if fused else 32
        shapes[f"blocks.0.attention.{layer}.weight"] = (rows, 64)
        shapes[f"blocks.0.attention.{layer}.bias"] = (rows,)
    shapes["blocks.0.attention.proj.weight"] = (64, 32)
    shapes |= {"blocks.0.fc1.weight": (7, 64), "blocks.0.fc1.bias": (7,)}
    shapes["blocks.0.fc2.weight"] = (64, 7)
    resize(network, shapes)
    vit.initialise(network)
    save(tmp_path / "network.safetensors", network, spec)
    images = torch.randn(2, 1, 1, 40)
    again = load(tmp_path / "network.safetensors")
    assert torch.equal(again(images), network(images))
    assert again.blocks[0].fc1.out_features == 7
    afresh = fresh(tmp_path / "network.safetensors", 1)
    assert afresh(images).shape == (2, 10)
    assert not torch.equal(afresh(images), network(images))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"image": [28, 28], "patch": [5, 4]}, r"patches of \[5, 4\] do not tile.*\[28, 28\]"),
        ({"heads": 3}, "heads is 3; it must divide width, 64"),
        ({"heads": 0}, "heads is 0"),
        ({"heads": 2.0}, "heads is 2.0; it should be a whole number from 1 on"),
        ({"depth": -1}, "depth is -1; it should be a whole number from 0 on"),
        ({"image": 28}, r"image is 28; it must be \[height, width\]"),
        ({"patch": [0, 4]}, r"patch is \[0, 4\]"),
    ],
)
def test_vit_refuses_in_one_line(options, error):
    with pytest.raises(Fault, match=rf"model\.options: {error}"):
        vit.vit_tiny(10, 1, **options)


def test_other_images_are_refused_in_one_line():
    with pytest.raises(Fault, match=r"image is \[28, 28\], the data's are \[8, 8\]"):
        vit.vit_tiny(10)(torch.zeros(1, 1, 8, 8))
    with pytest.raises(Fault, match=r"images are \[4, 4\].*at least \[8, 8\]"):
        convnext.convnext_tiny(10, 1)(torch.zeros(1, 1, 4, 4))
    with pytest.raises(Fault, match="depths is"):
        convnext.convnext_tiny(10, 1, depths=[2, 2])


@pytest.mark.parametrize(("file", "factory", "options"), NETWORKS)
def test_one_step_and_a_way_to_the_disk_and_back(file, factory, options):
    spec = Spec(f"stages/models/{file}.py", factory, options, 10, 1)
    assert parameters(try_out(spec, (1, 1, 40), seed=0, starts_fresh=True)) > 0


@pytest.mark.parametrize(("file", "factory", "options"), NETWORKS)
def test_bfloat16_and_channels_last_give_gradients_of_float32(file, factory, options):
    compute = Compute(precision="bfloat16", channels_last=True)
    network = placed(build(Spec(f"stages/models/{file}.py", factory, options, 10, 1)), CPU, compute)
    images = torch.randn(2, 1, 1, 40).contiguous(memory_format=memory_format(compute))
    with autocast(CPU, compute):
        logits = network(images)
    logits.float().logsumexp(1).sum().backward()
    assert {parameter.grad.dtype for parameter in network.parameters()} == {torch.float32}


def test_torchscript_takes_any_number_of_images():
    network = vit.vit_tiny(10, 1, depth=1, class_token=True, fused=True, **SIGNAL).eval()
    images, example = torch.randn(5, 1, 1, 40), torch.randn(2, 1, 1, 40)
    assert torch.allclose(torch.jit.trace(network, example)(images), network(images), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("file", "factory", "options"), NETWORKS)
def test_onnx_takes_any_number_of_images(file, factory, options, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    network = build(Spec(f"stages/models/{file}.py", factory, options, 10, 1), 0).eval()
    images = torch.randn(5, 1, 1, 40)
    write_onnx(network, images[:2], tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    (found,) = session.run(None, {"images": images.numpy()})
    assert np.allclose(found, network(images).detach().numpy(), atol=1e-5)
