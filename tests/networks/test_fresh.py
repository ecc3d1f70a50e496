"""Networks, dense or cut, that start afresh at their own widths."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stages.networks.building import Spec, build
from stages.networks.compact import save
from stages.networks.fresh import fresh
from stages.pipeline.fault import Fault
from tests.networks.test_compact import RESNET8, SEPARABLE, compacted, lively, norm


def test_fresh_draws_a_cut_network_by_its_own_fans(tmp_path):
    dense, some = lively(RESNET8), np.array([0])
    kept = {"layer3.0.conv1.weight": {0: some}, "layer3.0.conv2.weight": {1: some}}
    compacted(dense, RESNET8, kept | norm("layer3.0.bn1", some), tmp_path / "net")
    one, same, other = (fresh(tmp_path / "net", seed) for seed in (1, 1, 2))
    conv = one.layer3[0].conv1
    assert conv.weight.shape == (1, 8, 3, 3)
    assert conv.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.2)
    assert torch.equal(conv.weight, same.layer3[0].conv1.weight)
    assert not torch.equal(conv.weight, other.layer3[0].conv1.weight)
    assert not one.layer1[0].bn1.running_mean.any()
    assert one.layer2[0].shortcut.source.tolist() == dense.layer2[0].shortcut.source.tolist()


def test_fresh_resets_the_modules_of_a_file_without_initialise(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(SEPARABLE)
    spec = Spec("own.py", "separable", {}, 5, 3)
    network = build(spec, 0)
    save("net", network, spec)
    assert not torch.equal(fresh("net", 1)[8].weight, network[8].weight)
    assert torch.equal(fresh("net", 1)[8].weight, fresh("net", 1)[8].weight)


def test_fresh_resets_what_is_inside_a_module_before_it_and_layers_in_their_order(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self, num_classes, in_channels):\n"
        "        inside = nn.Sequential(nn.Linear(in_channels, 4), nn.BatchNorm1d(4))\n"
        "        super().__init__(inside, nn.Linear(4, 4), nn.Linear(4, num_classes))\n"
        "    def reset_parameters(self):\n"
        "        nn.init.zeros_(self[2].bias)\n"
    )
    spec = Spec("own.py", "Net", {}, 5, 3)
    save("net", build(spec, 0), spec)
    network = fresh("net", 1)
    torch.manual_seed(1)
    expected = [nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(4, 5)]
    assert torch.equal(network[0][0].weight, expected[0].weight)
    assert torch.equal(network[1].bias, expected[1].bias)
    assert torch.equal(network[2].weight, expected[2].weight)
    assert not network[2].bias.any()


def test_a_parameter_that_initialise_forgets_is_as_it_is_built(tmp_path, monkeypatch):
    """It was as training left it."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "import torch\nfrom torch import nn\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, num_classes, in_channels):\n"
        "        super().__init__()\n"
        "        self.fc = nn.Linear(in_channels, num_classes)\n"
        "        self.gain = nn.Parameter(torch.ones(3))\n"
        "        self.register_buffer('seen', torch.zeros(1))\n\n"
        "def initialise(network):\n"
        "    network.fc.reset_parameters()\n"
    )
    spec = Spec("own.py", "Net", {}, 3, 1)
    network = build(spec, 0)
    network.gain.data += 5
    network.seen += 5
    save("net.safetensors", network, spec)
    started = fresh("net.safetensors", 1)
    assert started.gain.tolist() == [1, 1, 1]
    assert started.seen.tolist() == [0]


def test_a_parameter_that_nothing_can_reinitialise_is_a_fault(tmp_path, monkeypatch):
    """Else a fresh start would keep what training made of it."""
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "import torch\nfrom torch import nn\n\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, num_classes, in_channels):\n"
        "        super().__init__()\n"
        "        self.gain = nn.Parameter(torch.ones(3))\n"
    )
    spec = Spec("own.py", "Net", {}, 3, 1)
    save("net.safetensors", build(spec, 0), spec)
    with pytest.raises(Fault, match=r"own\.py: start: fresh cannot re-initialise gain; give"):
        fresh("net.safetensors", 1)
