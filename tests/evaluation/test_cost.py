import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import SwinTransformer, VisionTransformer

from stages.evaluation.cost import Cost, cost, layers
from stages.models import convnext, resnet, vgg, vit
from stages.networks.compact import resize


@pytest.mark.parametrize(
    ("network", "parameters", "millions"),
    [
        (resnet.resnet56(10), 853_018, 125.5),
        (resnet.resnet110(10), 1_727_962, 252.9),
        (vgg.vgg16_bn(10), 14_987_722, 313.5),
    ],
    ids=["resnet56", "resnet110", "vgg16_bn"],
)
def test_costs_of_the_papers_networks_at_32x32(network, parameters, millions):
    found = cost(network, (3, 32, 32))
    assert found.parameters == parameters
    assert round(found.macs / 1e6, 1) == millions


def test_resnet8_on_digits_by_hand():
    """8x8, 4x4 and 2x2 maps of 16, 32 and 64 channels; a conv costs maps x 9 x in x out."""
    stem = 8 * 8 * 9 * 1 * 16
    first = 8 * 8 * 9 * (16 * 16 + 16 * 16)
    second = 4 * 4 * 9 * (16 * 32 + 32 * 32)
    third = 2 * 2 * 9 * (32 * 64 + 64 * 64)
    macs = stem + first + second + third + 64 * 10
    convs = 9 * (16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64)
    norms = 2 * (16 + 2 * (16 + 32 + 64))
    parameters = convs + norms + 64 * 10 + 10
    assert (macs, parameters) == (747_136, 75_002)
    assert cost(resnet.resnet8(10, 1), (1, 8, 8)) == Cost(parameters, parameters, macs)


def test_depthwise_and_strided_convolutions_by_hand():
    network = nn.Sequential(nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4), nn.BatchNorm2d(8))
    (conv, norm) = layers(network, (4, 6, 6))
    assert (conv.name, conv.kind, conv.parameters, conv.macs) == ("0", "Conv2d", 80, 3 * 3 * 8 * 9)
    assert (norm.kind, norm.parameters, norm.macs) == ("BatchNorm2d", 16, 0)


def test_zeros_in_weights_lower_nonzero_alone():
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.BatchNorm1d(2))
    nn.init.ones_(network[1].weight)
    nn.init.zeros_(network[1].bias)
    with torch.no_grad():
        network[1].weight[0, :3] = 0
    assert cost(network, (1, 2, 2)) == Cost(parameters=14, nonzero=11, macs=8)


def test_a_layer_used_twice_costs_twice_its_macs_and_once_its_parameters():
    layer = nn.Linear(3, 3, bias=False)
    (row,) = layers(nn.Sequential(layer, layer), (3,))
    assert (row.parameters, row.macs) == (9, 18)


def test_a_layer_with_one_output_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 1, 2), nn.Flatten(), nn.Linear(4, 1))
    assert cost(network, (3, 3, 3)) == Cost(parameters=13 + 5, nonzero=18, macs=4 * 12 + 4)


def test_counting_leaves_no_trace():
    network = resnet.resnet8(10, 1, width=4).train()
    network.layer1.eval()
    modes = [module.training for module in network.modules()]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    cost(network, (1, 8, 8))
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_hooks_and_modes_go_when_the_network_refuses_the_image():
    network = nn.Sequential(nn.Linear(3, 3)).train()
    with pytest.raises(RuntimeError):
        cost(network, (4,))
    assert network.training
    assert not network[0]._forward_hooks


class Attending(nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.embed = nn.Linear(4, 8)
        self.encoder = encoder

    def forward(self, images):
        return self.encoder(self.embed(images.flatten(2))).mean(1)


def test_projections_and_products_of_an_attention_count():
    """3 tokens of width 8: embedding 3*4*8; each of 4 projections 3*8*8; two layers 3*8*16.

    Queries by keys and weights by values: 3*3*8 each.
    """
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    network = Attending(nn.TransformerEncoder(layer, 2))
    assert cost(network, (3, 2, 2)).macs == 3 * 4 * 8 + 2 * (
        4 * 3 * 8 * 8 + 2 * 3 * 3 * 8 + 2 * 3 * 8 * 16
    )


def vit_by_hand(tokens, pixels, width, heads, depth, hidden, head_width):
    """Patches; per block four projections, two products and two layers; a head for 10 classes."""
    inner = heads * head_width
    block = 4 * tokens * width * inner + 2 * tokens**2 * inner + 2 * tokens * width * hidden
    return tokens * pixels * width + depth * block + width * 10


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("class_token", [False, True])
def test_a_vit_by_hand(fused, class_token):
    options = {"width": 32, "depth": 2, "heads": 4, "fused": fused, "class_token": class_token}
    network = vit.vit_tiny(10, 1, image=(8, 12), patch=(4, 4), **options)
    by_hand = vit_by_hand(6 + class_token, 16, 32, 4, 2, 64, 8) - class_token * 16 * 32
    assert cost(network, (1, 8, 12)).macs == by_hand
    kinds = {row.kind: row.macs for row in layers(network, (1, 8, 12)) if not row.parameters}
    assert kinds == {"Attention": 2 * (6 + class_token) ** 2 * 32}


@pytest.mark.parametrize("fused", [False, True])
def test_a_vit_that_lost_heads_and_hidden_widths_costs_what_its_shapes_say(fused):
    network = vit.vit_tiny(10, 1, image=(1, 40), patch=(1, 4), width=32, depth=2, fused=fused)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    for block in ("blocks.0", "blocks.1"):
        for layer in ("qkv",) if fused else ("q", "k", "v"):
            rows = 48 if fused else 16
            shapes[f"{block}.attention.{layer}.weight"] = (rows, 32)
            shapes[f"{block}.attention.{layer}.bias"] = (rows,)
        shapes[f"{block}.attention.proj.weight"] = (32, 16)
        shapes |= {f"{block}.fc1.weight": (20, 32), f"{block}.fc1.bias": (20,)}
        shapes[f"{block}.fc2.weight"] = (32, 20)
    resize(network, shapes)
    assert cost(network, (1, 1, 40)).macs == vit_by_hand(10, 4, 32, 2, 2, 20, 8)


class ByHand(nn.Module):
    """Attention written out, by one notation or another."""

    def __init__(self, notation):
        super().__init__()
        self.layer, self.notation = nn.Linear(8, 8), notation

    def forward(self, images):
        x = self.layer(images.flatten(2))
        if self.notation == "einsum":
            weights = torch.einsum("bnd,bmd->bnm", x, x).softmax(-1)
            return torch.einsum("bnm,bmd->bnd", weights, x).mean(1)
        if self.notation == "bmm":
            return torch.bmm(torch.bmm(x, x.mT).softmax(-1), x).mean(1)
        return ((x @ x.mT).softmax(-1) @ x).mean(1)


@pytest.mark.parametrize("notation", ["einsum", "bmm", "matmul"])
def test_an_attention_that_is_written_out_counts_alike(notation):
    assert cost(ByHand(notation), (3, 2, 4)).macs == 3 * 8 * 8 + 2 * 3 * 3 * 8


def test_a_transposed_convolution_by_hand():
    network = nn.Sequential(nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), nn.Flatten())
    assert cost(network, (4, 5, 5)).macs == 5 * 5 * 4 * 3 * 9


@pytest.mark.parametrize(
    "network",
    [
        resnet.resnet8(10),
        convnext.convnext_tiny(10, depths=[1, 1, 1]),
        vit.vit_tiny(10, 3, image=(32, 32), class_token=True),
        SwinTransformer([2, 2], 16, [1, 1], [2, 4], [4, 4]),
        VisionTransformer(32, 8, 2, 2, 16, 32),
    ],
    ids=lambda network: type(network).__name__,
)
def test_macs_are_half_of_torchs_operations(network):
    """FlopCounterMode counts the attention of a CPU only where it is computed by products."""
    torch.backends.mha.set_fastpath_enabled(False)
    with FlopCounterMode(display=False) as torchs, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
        network.eval()(torch.zeros(1, 3, 32, 32))
    torch.backends.mha.set_fastpath_enabled(True)
    assert cost(network, (3, 32, 32)).macs == torchs.get_total_flops() / 2


def test_counting_imports_no_compiler():
    program = (
        "import sys, torch; from stages.evaluation.cost import cost;"
        "cost(torch.nn.Sequential(torch.nn.Linear(3, 2)), (3,));"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


class ByKeyword(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, images):
        tokens = images.flatten(2)
        return self.attention(tokens, key=tokens, value=tokens, need_weights=False)[0].mean(1)


def test_an_attention_that_is_called_by_keyword_counts_too():
    """3 tokens of width 8, 4 projections of 3*8*8, two products of 3*3*8."""
    assert cost(ByKeyword(), (3, 2, 4)).macs == 4 * 3 * 8 * 8 + 2 * 3 * 3 * 8
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_network_of_doubles_is_counted_as_it_is():
    assert cost(nn.Sequential(nn.Linear(3, 2)).double(), (3,)) == Cost(8, 8, 6)
