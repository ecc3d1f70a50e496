import json
from dataclasses import asdict

import numpy as np
import onnxruntime
import pytest
import torch

from stages.commands.export import Format, export, main
from stages.networks.building import Spec, build
from stages.networks.compact import load, resize, save
from stages.pipeline.fault import Fault
from stages.pipeline.files import load_arrays, write_json
from stages.training.divergence import Divergence

ABOUT = {"channels": 3, "height": 16, "width": 16, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
ABOUT["classes"] = [*"ABCDEFGHI", "Übung"]
SPEC = Spec("stages/models/resnet.py", "resnet8", {}, 10, 3)


@pytest.fixture
def pruned(tmp_path):
    """A file of a network that is smaller than its architecture."""
    network = build(SPEC, 0)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    shapes["layer1.0.conv1.weight"] = (5, 16, 3, 3)
    shapes["layer1.0.conv2.weight"] = (16, 5, 3, 3)
    shapes |= {f"layer1.0.bn1.{k}": (5,) for k in ("weight", "bias", "running_mean", "running_var")}
    resize(network, shapes)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) / 5)
    save(tmp_path / "last.safetensors", network, SPEC)
    return tmp_path / "last.safetensors"


@pytest.fixture
def images():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def logits(pruned, images):
    mean, std = (torch.tensor(ABOUT[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    with torch.no_grad():
        return load(pruned).eval()((images - mean) / std).numpy()


def test_onnx_gives_the_logits_of_torch_for_any_batch(pruned, images, logits, tmp_path):
    export(pruned, ABOUT, Format.onnx, tmp_path / "x.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    for count in (1, 3):
        (ours,) = session.run(["logits"], {"images": images[:count].numpy()})
        np.testing.assert_allclose(ours, logits[:count], rtol=1e-4, atol=1e-5)


def test_onnx_has_the_names_of_the_classes(pruned, tmp_path):
    export(pruned, ABOUT, Format.onnx, tmp_path / "x.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "x.onnx", providers=["CPUExecutionProvider"])
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == ABOUT["classes"]


def test_torchscript_gives_the_logits_of_torch(pruned, images, logits, tmp_path):
    export(pruned, ABOUT, Format.torchscript, tmp_path / "x.pt")
    with torch.no_grad():
        ours = torch.jit.load(tmp_path / "x.pt")(images).numpy()
    np.testing.assert_allclose(ours, logits, rtol=1e-5, atol=1e-6)


def test_a_state_dict_is_the_networks_own_tensors(pruned, tmp_path):
    export(pruned, ABOUT, Format.state_dict, tmp_path / "x.safetensors")
    assert load_arrays(tmp_path / "x.safetensors").keys() == load(pruned).state_dict().keys()


def test_a_file_that_is_no_network_leaves_no_export(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(Fault, match=r"bad\.safetensors"):
        export(tmp_path / "bad.safetensors", ABOUT, Format.onnx, tmp_path / "x.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["bad.safetensors"]


def test_a_replicate_that_diverged_has_nothing_to_export(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    divergence = asdict(Divergence(2, 100.0, None))
    write_json("models/retrained/l1/hot/replicate_1/diverged.json", divergence)
    with pytest.raises(Fault) as fault:
        main("l1", "hot", replicate=1)
    assert str(fault.value) == (
        "models/retrained/l1/hot/replicate_1: this replicate diverged in epoch 2, at learning "
        "rates up to 100 (mean loss not finite), so there is no network to export"
    )
