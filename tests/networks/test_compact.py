import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from stages.networks.building import Spec, build
from stages.networks.compact import cut, flat, load, nested, read_spec, resize, save
from stages.networks.fresh import fresh
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, read_meta, save_arrays

RESNET8 = Spec("stages/models/resnet.py", "resnet8", {"width": 4}, 10, 3)

SEPARABLE = """
from torch import nn

def separable(num_classes, in_channels, multiplier=1):
    hidden = 6
    return nn.Sequential(
        nn.Conv2d(in_channels, hidden, 1, bias=False),
        nn.BatchNorm2d(hidden),
        nn.ReLU6(),
        nn.Conv2d(hidden, hidden * multiplier, 3, padding=1, groups=hidden),
        nn.BatchNorm2d(hidden * multiplier),
        nn.ReLU6(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(hidden * multiplier, num_classes),
    )
"""


def lively(spec):
    """A network whose BatchNorms are not at their starting values, so that every tensor matters."""
    network = build(spec, 0)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.add_(torch.randn(tensor.shape, generator=generator) / 2)
    return network.eval()


def silence(network, norm, kept):
    """Make the dense network ignore the channels of a BatchNorm that are not kept."""
    dropped = torch.ones(network.get_submodule(norm).num_features, dtype=torch.bool)
    dropped[kept] = False
    network.get_submodule(norm).weight.data[dropped] = 0
    network.get_submodule(norm).bias.data[dropped] = 0


def norm(name, kept):
    return {
        f"{name}.{leaf}": {0: kept} for leaf in ("weight", "bias", "running_mean", "running_var")
    }


def compacted(network, spec, kept, path):
    tensors = cut(network.state_dict(), kept)
    small = build(spec)
    resize(small, {name: tensor.shape for name, tensor in tensors.items()})
    small.load_state_dict(tensors)
    save(path, small, spec)
    return small.eval()


def test_a_cut_first_convolution_is_the_silenced_network(tmp_path):
    dense, some = lively(RESNET8), np.array([0, 3])
    kept = {"layer1.0.conv1.weight": {0: some}, "layer1.0.conv2.weight": {1: some}}
    compacted(dense, RESNET8, kept | norm("layer1.0.bn1", some), tmp_path / "net.safetensors")
    silence(dense, "layer1.0.bn1", some)
    small, x = load(tmp_path / "net.safetensors").eval(), torch.randn(2, 3, 8, 8)
    assert (small.layer1[0].conv1.out_channels, small.layer1[0].conv2.in_channels) == (2, 2)
    torch.testing.assert_close(small(x), dense(x))


def test_cut_residual_channels_go_through_the_shortcuts(tmp_path):
    """Stages of 4, 8, 16 channels: a shortcut loses inputs, outputs and a copied channel."""
    dense, one, two = lively(RESNET8), np.array([1, 3]), np.array([0, 3, 5, 7])
    kept = {
        "conv1.weight": {0: one},
        "layer1.0.conv1.weight": {1: one},
        "layer1.0.conv2.weight": {0: one},
        "layer2.0.conv1.weight": {1: one},
        "layer2.0.conv2.weight": {0: two},
        "layer2.0.shortcut.source": {0: two, 1: one},
        "layer3.0.conv1.weight": {1: two},
        "layer3.0.shortcut.source": {1: two},
    }
    kept |= norm("bn1", one) | norm("layer1.0.bn2", one) | norm("layer2.0.bn2", two)
    compacted(dense, RESNET8, kept, tmp_path / "net.safetensors")
    for name, some in (("bn1", one), ("layer1.0.bn2", one), ("layer2.0.bn2", two)):
        silence(dense, name, some)
    small, x = load(tmp_path / "net.safetensors").eval(), torch.randn(2, 3, 8, 8)
    assert small.layer2[0].shortcut.source.tolist() == [-1, 1, -1, -1]
    expected = [0, -1, -1, 1, -1, 2, -1, 3] + [-1] * 8
    assert small.layer3[0].shortcut.source.tolist() == expected
    silent = torch.tensor([1, 2, 4, 6])
    hook = dense.layer2.register_forward_hook(lambda *args: args[2].index_fill(1, silent, 0))
    torch.testing.assert_close(small(x), dense(x))
    hook.remove()


@pytest.mark.parametrize("multiplier", [1, 2])
def test_a_cut_depthwise_convolution_keeps_its_kind(multiplier, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(SEPARABLE)
    spec = Spec("own.py", "separable", {"multiplier": multiplier}, 5, 3)
    dense, hidden = lively(spec), np.array([0, 2, 5])
    outputs = np.concatenate([np.arange(multiplier) + multiplier * i for i in hidden])
    kept = {
        "0.weight": {0: hidden},
        "3.weight": {0: outputs},
        "3.bias": {0: outputs},
        "8.weight": {1: outputs},
    }
    kept |= norm("1", hidden) | norm("4", outputs)
    compacted(dense, spec, kept, "net.safetensors")
    silence(dense, "1", hidden)
    silence(dense, "4", outputs)
    small, x = load("net.safetensors").eval(), torch.randn(2, 3, 6, 6)
    assert (small[3].groups, small[3].in_channels, small[3].out_channels) == (3, 3, 3 * multiplier)
    torch.testing.assert_close(small(x), dense(x))


def test_a_grouped_convolution_keeps_its_groups_when_inputs_per_group_shrink():
    conv = nn.Sequential(nn.Conv2d(8, 4, 1, groups=2, bias=False))
    resize(conv, {"0.weight": (4, 3, 1, 1)})
    assert (conv[0].groups, conv[0].in_channels) == (2, 6)
    assert conv(torch.zeros(1, 6, 2, 2)).shape == (1, 4, 2, 2)


def test_a_resized_network_trains_and_keeps_what_was_frozen():
    network = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    network[0].bias.requires_grad_(False)
    narrow = ["0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]
    resize(network, {"0.weight": (2, 4), "1.num_batches_tracked": ()} | dict.fromkeys(narrow, (2,)))
    assert (network[0].out_features, network[1].num_features) == (2, 2)
    assert [p.requires_grad for p in network.parameters()] == [True, False, True, True]
    assert network(torch.zeros(5, 4)).shape == (5, 2)


def test_a_batchnorm_without_scale_and_a_prelu_take_their_widths_from_what_they_have():
    network = nn.Sequential(nn.BatchNorm2d(4, affine=False), nn.PReLU(4))
    resize(
        network,
        {"0.running_mean": (2,), "0.running_var": (2,), "0.num_batches_tracked": ()}
        | {"1.weight": (3,)},
    )
    assert (network[0].num_features, network[1].num_parameters) == (2, 3)
    assert network[0].weight is None
    with pytest.raises(Fault, match=r"0: BatchNorm2d cannot .* running_var \[1\]"):
        resize(
            network,
            {"0.running_mean": (2,), "0.running_var": (1,), "0.num_batches_tracked": ()}
            | {"1.weight": (3,)},
        )


def test_saving_is_deterministic_and_makes_tensors_contiguous(tmp_path):
    network = lively(RESNET8)
    save(tmp_path / "a", network, RESNET8)
    save(tmp_path / "b", network.to(memory_format=torch.channels_last), RESNET8)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert all(tensor.is_contiguous() for tensor in load(tmp_path / "b").state_dict().values())
    assert read_spec(tmp_path / "a") == RESNET8


def test_loading_leaves_the_global_generator_as_it_was(tmp_path):
    save(tmp_path / "net", build(RESNET8, 0), RESNET8)
    before = torch.get_rng_state()
    load(tmp_path / "net")
    fresh(tmp_path / "net", 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_loading_needs_no_pruning_code_and_no_pretrained_weights(tmp_path):
    code = """
import sys, torch
from stages.networks import building, compact
spec = building.Spec("stages/models/resnet.py", "resnet8", {}, 10, 3)
path = sys.argv[1]
compact.save(path, building.build(spec, 0), spec)
compact.load(path)
banned = {"torch_pruning", "stages.pruning", "torchvision"} & sys.modules.keys()
assert not banned, banned
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, tmp_path / "net"], check=True, cwd=root)


def test_a_pretrained_network_loads_from_its_own_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "from torch import nn\n"
        "def net(num_classes, in_channels, pretrained=False):\n"
        "    assert not pretrained\n"
        "    return nn.Linear(in_channels, num_classes)\n"
    )
    spec = Spec("own.py", "net", {"pretrained": True}, 2, 3)
    network = nn.Linear(3, 2)
    save("net", network, spec)
    assert torch.equal(load("net").weight, network.weight)
    assert read_spec("net") == spec


@pytest.mark.parametrize(
    ("name", "shape", "line"),
    [
        ("layer1.0.bn1.bias", (3,), "layer1.0.bn1: BatchNorm2d cannot have .* bias \\[3\\]"),
        ("conv1.weight", (4, 3, 5, 5), "conv1: Conv2d cannot have the shapes weight \\[4, 3, 5"),
        ("conv1.weight", (4,), "conv1: Conv2d cannot have the shapes weight \\[4\\]"),
        ("fc.bias", (9,), "fc: Linear cannot have the shapes weight \\[10, 16\\], bias \\[9\\]"),
        ("stranger", (1,), "stranger: the tensors are not those of this network"),
    ],
)
def test_shapes_that_do_not_belong_together_name_the_layer(name, shape, line, tmp_path):
    path = tmp_path / "net.safetensors"
    save(path, build(RESNET8, 0), RESNET8)
    save_arrays(path, load_arrays(path) | {name: np.zeros(shape, np.float32)}, read_meta(path))
    with pytest.raises(Fault, match=f"net.safetensors: {line}"):
        load(path)


def test_odd_depthwise_shapes_and_other_layers_fault():
    with pytest.raises(Fault, match="0: Conv2d cannot have"):
        resize(nn.Sequential(nn.Conv2d(4, 8, 1, groups=4, bias=False)), {"0.weight": (5, 1, 1, 1)})
    with pytest.raises(Fault, match="0: LayerNorm cannot have"):
        resize(nn.Sequential(nn.LayerNorm(4, bias=False)), {"0.weight": (3,)})


def test_layers_that_share_a_weight_stay_as_wide_as_they_are():
    network = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    network.append(network[0])
    resize(network, {f"{name}.weight": (3, 4) if name != 1 else (4, 3) for name in range(3)})
    assert network[2] is network[0]
    network[1].weight = network[0].weight = nn.Parameter(torch.ones(4, 4))
    with pytest.raises(Fault, match=r"0\.weight: another layer has the same tensor"):
        resize(network, {f"{name}.weight": (3, 4) if name != 1 else (4, 3) for name in range(3)})
    assert network[1].weight is network[0].weight


def test_a_file_without_a_model_faults(tmp_path):
    save_arrays(tmp_path / "x", {"a": np.zeros(1)}, {"other": 1})
    with pytest.raises(Fault, match="x: other is no known key; valid: model"):
        load(tmp_path / "x")


@given(st.data())
def test_cut_selects_like_numpy(data):
    array = np.arange(24).reshape(4, 6).astype(np.float32)
    rows, columns = (
        np.array(sorted(data.draw(st.sets(st.integers(0, size - 1), min_size=1))))
        for size in array.shape
    )
    result = cut({"w": torch.from_numpy(array), "b": torch.ones(2)}, {"w": {0: rows, 1: columns}})
    assert np.array_equal(result["w"].numpy(), array[np.ix_(rows, columns)])
    assert torch.equal(result["b"], torch.ones(2))


def test_cut_ignores_names_it_was_not_given_and_refuses_indices_out_of_range():
    assert cut({}, {"w": {0: np.array([9])}}) == {}
    with pytest.raises(Fault, match=r"w: shape \[2\] has not all kept indices of dim 0"):
        cut({"w": torch.zeros(2)}, {"w": {0: np.array([2])}})
    with pytest.raises(Fault, match=r"w: shape \[2\] has not all kept indices of dim 1"):
        cut({"w": torch.zeros(2)}, {"w": {1: np.array([0])}})


def test_kept_survives_its_flat_form():
    kept = {"a.weight": {0: np.array([1]), 1: np.array([0, 2])}, "b": {0: np.array([3])}}
    assert flat(kept).keys() == {"a.weight/0", "a.weight/1", "b/0"}
    assert nested(flat(kept)) == kept


@pytest.mark.parametrize("change", [{"code": "a\x1f.py"}, {"factory": "\n"}, {"num_classes": 0}])
def test_a_model_of_another_kind_is_one_line(change, tmp_path):
    save_arrays(tmp_path / "x", {"a": np.zeros(1)}, {"model": {**asdict(RESNET8), **change}})
    with pytest.raises(Fault, match=rf"x: model\.{next(iter(change))} is ") as fault:
        load(tmp_path / "x")
    assert str(fault.value).isprintable()


def test_a_tensor_of_another_name_is_one_line(tmp_path):
    save_arrays(tmp_path / "x", {"\n": np.zeros(1)}, {"model": asdict(RESNET8)})
    with pytest.raises(Fault) as fault:
        load(tmp_path / "x")
    assert str(fault.value).isprintable()
