"""Networks that pruning leaves, in another program."""

import pytest
import torch

import afterprune
from stages.models.resnet import resnet8
from stages.networks.building import Spec, build
from stages.networks.compact import resize, save

SPEC = Spec("stages/models/resnet.py", "resnet8", {"width": 4}, 10, 1)


@pytest.fixture
def file(tmp_path):
    """A network whose first block has lost two filters, as a file, and its logits."""
    network = build(SPEC, seed=3)
    shapes = {name: list(tensor.shape) for name, tensor in network.state_dict().items()}
    block = next(name for name in shapes if ".conv1." in name).partition("conv1")[0]
    for name in shapes:
        if name.startswith((f"{block}conv1", f"{block}bn1")) and shapes[name]:
            shapes[name][0] -= 2
    shapes[f"{block}conv2.weight"][1] -= 2
    resize(network, {name: tuple(shape) for name, shape in shapes.items()})
    generator = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator)
    save(tmp_path / "network.safetensors", network, SPEC)
    return tmp_path / "network.safetensors", network.eval()


@pytest.mark.parametrize("dense", [None, lambda: resnet8(num_classes=10, in_channels=1, width=4)])
def test_a_cut_network_is_loaded_by_its_own_description_or_into_a_dense_one(
    file, dense, tmp_path, monkeypatch
):
    path, network = file
    monkeypatch.chdir(tmp_path)
    loaded = afterprune.load(path, dense and dense()).eval()
    images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(loaded(images), network(images))


def test_another_network_does_not_fit(file):
    with pytest.raises(
        afterprune.Fault, match=r"network\.safetensors: .*not those of this network"
    ):
        afterprune.load(file[0], torch.nn.Linear(2, 2))
